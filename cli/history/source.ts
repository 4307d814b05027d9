import type { Command } from 'commander'
import { dirname, join } from 'node:path'
import { Unsealer } from '../../node/client/sealed-events.ts'
import { openedPage } from '../../node/client/sealed-history.ts'
import { unreadable } from '../../node/client/operator/answers.ts'
import { HISTORY_FILE, openHistoryForReading } from '../../node/history/database.ts'
import {
  answerPage,
  parseHistoryPage,
  type AskHistory,
  type HistoryPage,
} from '../../node/history/page.ts'
import { HistoryReader, type Span } from '../../node/history/reader.ts'
import type { SensorKind } from '../../node/sensors/kinds.ts'
import { nodeFolders, type NodeFolderOptions } from '../commands/node-options.ts'
import type { CommandIo } from '../io.ts'
import {
  addPassphraseOption,
  collect,
  connectAs,
  targetPassphrase,
  type TargetOptions,
} from '../target.ts'

/** Where a history is read: from the folder of a node, or by asking one. */
export type SourceOptions = TargetOptions & Pick<NodeFolderOptions, 'data' | 'config'>

/** Add the options of `SourceOptions` to a command. */
export function addSourceOptions(command: Command): Command {
  return addPassphraseOption(command)
    .option('--node <host:port>', 'ask a node; repeat for more, the first that answers', collect)
    .option('--as <name>', 'which operator to be, or client/NAME (default the only operator)')
    .option('--certs <dir>', 'certificate folder (default ./certs, or FRIDGE_CERTS)')
    .option('--data <dir>', 'read the data folder of a node, running or not, and ask nobody')
    .option('--config <file>', 'the same, of the node with this configuration')
}

/** A history that can be asked. */
export interface HistorySource extends AsyncDisposable {
  /** The name of the node; undefined where its history does not say yet. */
  readonly node: string | undefined
  readonly ask: AskHistory
}

/** @throws FridgeError with the command that mends it */
export async function openSource(options: SourceOptions, io: CommandIo): Promise<HistorySource> {
  return options.data !== undefined || options.config !== undefined
    ? openFolder(await historyFile(options, io))
    : askNode(options, io)
}

/** The history of a node on this machine. @throws FridgeError `ERR_USAGE`, `ERR_CONFIG` */
export async function historyFile(options: NodeFolderOptions, io: CommandIo): Promise<string> {
  const { database } = await nodeFolders(options, io)
  return join(dirname(database), HISTORY_FILE)
}

/** The kind of a sensor. @throws FridgeError where there is none, or where it may not be read */
export async function readKind(ask: AskHistory, sensor: string, span: Span): Promise<SensorKind> {
  const { kind } = await ask({ sensor, table: 'signed', ...span, after: null })
  return kind
}

function openFolder(file: string): HistorySource {
  const reader = new HistoryReader(openHistoryForReading(file))
  return {
    node: reader.node(),
    ask: async request => answerPage(reader, request),
    [Symbol.asyncDispose]: async () => reader[Symbol.dispose](),
  }
}

async function askNode(options: SourceOptions, io: CommandIo): Promise<HistorySource> {
  const unsealer = new Unsealer(await targetPassphrase(options, io))
  const connection = await connectAs('operator', options, io)
  return {
    node: connection.node,
    ask: async (request): Promise<HistoryPage> => {
      const answer = await connection.call('history', [request], { signal: io.signal })
      const page = parseHistoryPage(answer, request.table)
      if (typeof page === 'string') throw unreadable(connection.node, 'history', page)
      return openedPage(page, request, connection, unsealer)
    },
    [Symbol.asyncDispose]: async () => connection[Symbol.asyncDispose](),
  }
}
