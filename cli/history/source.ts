import type { Command } from 'commander'
import { dirname, join } from 'node:path'
import { Unsealer } from '../../node/client/sealed-events.ts'
import { openedPage } from '../../node/client/sealed-history.ts'
import { unreadable } from '../../node/client/operator/answers.ts'
import { HISTORY_FILE, openHistoryForReading, readingFailure } from '../../node/history/database.ts'
import {
  answerPage,
  parseHistoryPage,
  type AskHistory,
  type HistoryPage,
} from '../../node/history/page.ts'
import type { NodeConnection } from '../../node/client/node-connection.ts'
import { readFleet } from '../../node/client/operator/vitals-answers.ts'
import { HistoryReader, type Span } from '../../node/history/reader.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { nearest } from '../../node/lib/nearest.ts'
import type { SensorKind } from '../../node/sensors/kinds.ts'
import { isSensorName } from '../../node/sensors/sensor.ts'
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
  /** Of a node those that it has now, of a folder those that it ever had. */
  readonly sensors: () => Promise<readonly string[]>
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
export async function readKind(
  { ask, sensors }: Pick<HistorySource, 'ask' | 'sensors'>,
  sensor: string,
  span: Span,
): Promise<SensorKind> {
  if (!isSensorName(sensor)) {
    throw new FridgeError('ERR_USAGE', `${JSON.stringify(sensor)} is no name of a sensor`, {
      fix: `name one of ${(await sensors()).join(', ')}`,
    })
  }
  try {
    const { kind } = await ask({ sensor, table: 'signed', ...span, after: null })
    return kind
  } catch (error) {
    if (!(error instanceof FridgeError) || error.code !== 'ERR_COMMAND') throw error
    const known = await sensors()
    if (known.length === 0 || known.includes(sensor)) throw error
    const near = nearest(sensor, known)
    const fix = near === undefined ? `name one of ${known.join(', ')}` : `did you mean ${near}?`
    throw new FridgeError(error.code, error.message, { cause: error, fix })
  }
}

function openFolder(file: string): HistorySource {
  const reader = new HistoryReader(openHistoryForReading(file))
  const read = <Result>(work: () => Result): Result => {
    try {
      return work()
    } catch (error) {
      throw readingFailure(file, error)
    }
  }
  return {
    node: read(() => reader.node()),
    sensors: async () => read(() => Array.from(reader.sensors().keys())),
    ask: async request => read(() => answerPage(reader, request)),
    [Symbol.asyncDispose]: async () => reader[Symbol.dispose](),
  }
}

async function askNode(options: SourceOptions, io: CommandIo): Promise<HistorySource> {
  const unsealer = new Unsealer(await targetPassphrase(options, io))
  const connection = await connectAs('operator', options, io)
  return {
    node: connection.node,
    sensors: async () => sensorsOf(connection),
    ask: async (request): Promise<HistoryPage> => {
      const answer = await connection.call('history', [request], { signal: io.signal })
      const page = parseHistoryPage(answer, request.table)
      if (typeof page === 'string') throw unreadable(connection.node, 'history', page)
      return openedPage(page, request, connection, unsealer)
    },
    [Symbol.asyncDispose]: async () => connection[Symbol.asyncDispose](),
  }
}

/** The sensors of a node: a client is told those that it may read, an operator may ask for all. */
async function sensorsOf(connection: NodeConnection): Promise<string[]> {
  const { node, sensors, methods } = connection
  if (!methods.has('vitals')) return sensors.map(({ name }) => name)
  const fleet = await readFleet(async after => connection.call('vitals', [after]), node)
  return fleet.get(node)?.sensors.map(({ sensor }) => sensor) ?? []
}
