import type { Command } from 'commander'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { formatAddress, parseAddress } from '../../node/lib/address.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { shellWord } from '../../node/lib/shell-word.ts'
import { examples, type CommandContext } from '../command.ts'
import {
  findContext,
  parseContextName,
  readContexts,
  writeContexts,
  type Context,
} from '../contexts.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { formatTable } from '../table.ts'
import { collect } from '../target.ts'
import { certificateFolder, type FolderOptions } from './certs-options.ts'

interface JsonOption {
  readonly json?: boolean
}

interface ContextAddOptions extends FolderOptions {
  readonly node: readonly string[]
  readonly as?: string
}

/** Fill `fridge context`. */
export function fillContext(context: Command, { io, action }: CommandContext): void {
  context
    .command('add')
    .description('keep under a name how a cluster is reached; the first one is used at once')
    .argument('<name>', 'yours to choose; one that is there is replaced')
    .requiredOption('--node <host:port>', 'a node; repeat for more', collect)
    .option('--certs <dir>', 'certificate folder (default ./certs, or FRIDGE_CERTS)')
    .option('--as <name>', 'whom to be (default the only one there is)')
    .addHelpText(
      'after',
      examples('fridge context add warehouse --node n1.example:7443 --node n2.example:7443'),
    )
    .action(action((name: string, options: ContextAddOptions) => runAdd(name, options, io)))
  context
    .command('use')
    .description('let commands go to this cluster where they name no other')
    .argument('<name>', 'of a context; none for no context')
    .addHelpText('after', examples('fridge context use warehouse'))
    .action(action((name: string) => runUse(name, io)))
  context
    .command('list')
    .alias('ls')
    .description('show all contexts; * is before the one that commands use')
    .option('--json', 'print JSON')
    .action(action((options: JsonOption) => runList(options, io)))
  context
    .command('show')
    .description('show one context')
    .argument('[name]', 'default the one that commands use')
    .option('--json', 'print JSON')
    .action(action((name: string | undefined, options: JsonOption) => runShow(name, options, io)))
  context
    .command('remove')
    .alias('rm')
    .description('forget a context; its certificates stay')
    .argument('<name>', 'of a context')
    .addHelpText('after', examples('fridge context remove warehouse'))
    .action(action((name: string) => runRemove(name, io)))
}

async function runAdd(
  text: string,
  { node, as, ...folder }: ContextAddOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const name = parseContextName(text)
  if (name === 'none') {
    throw new FridgeError('ERR_USAGE', 'none is what no context is called', {
      fix: 'choose another name',
    })
  }
  const nodes = node.map(parseAddress)
  const certs = resolve(io.cwd, certificateFolder(folder, io))
  const { all, current = name } = await readContexts(io)
  if ((await stat(certs).catch(() => undefined))?.isDirectory() !== true) {
    throw new FridgeError('ERR_USAGE', `${certs} is not a folder`, {
      fix: `name where the certificates are: fridge context add ${name} --node ${node.join(' --node ')} --certs DIR`,
    })
  }
  const contexts = { current, all: new Map([...all, [name, { nodes, certs, as }]]) }
  await writeContexts(contexts, io)
  const verb = all.has(name) ? 'replaced' : 'added'
  if (current === name) io.out(`context ${name} ${verb}; commands use it`)
  else io.out(`context ${name} ${verb}; to use it: fridge context use ${name}`)
  return EXIT.done
}

async function runUse(name: string, io: CommandIo): Promise<ExitStatus> {
  const contexts = await readContexts(io)
  if (name === 'none') {
    await writeContexts({ all: contexts.all }, io)
    io.out('commands use no context')
    return EXIT.done
  }
  const context = findContext(contexts, name)
  await writeContexts({ current: name, all: contexts.all }, io)
  io.out(`commands use context ${name}: ${context.nodes.map(formatAddress).join(' ')}`)
  return EXIT.done
}

async function runList({ json }: JsonOption, io: CommandIo): Promise<ExitStatus> {
  const { current, all } = await readContexts(io)
  const shown = [...all].map(([name, context]) => reportOf(name, context, current))
  if (json === true) io.out(JSON.stringify(shown))
  else if (shown.length === 0) {
    io.err('there is no context: fridge context add NAME --node HOST:PORT')
  } else {
    const rows = shown.map(one => [
      one.current ? '*' : '',
      one.name,
      one.nodes.join(' '),
      one.as ?? '',
      one.certs,
    ])
    for (const line of formatTable([['', 'NAME', 'NODES', 'AS', 'CERTS'], ...rows], io.columns)) {
      io.out(line)
    }
  }
  return EXIT.done
}

async function runShow(
  named: string | undefined,
  { json }: JsonOption,
  io: CommandIo,
): Promise<ExitStatus> {
  const contexts = await readContexts(io)
  const name = named ?? contexts.current
  if (name === undefined) {
    throw new FridgeError('ERR_USAGE', 'commands use no context', {
      fix:
        contexts.all.size === 0
          ? 'fridge context add NAME --node HOST:PORT'
          : 'fridge context list',
    })
  }
  const report = reportOf(name, findContext(contexts, name), contexts.current)
  if (json === true) io.out(JSON.stringify(report))
  else {
    io.out(`${name}${report.current ? ', which commands use' : ''}`)
    io.out(`  nodes  ${report.nodes.join(' ')}`)
    io.out(`  certs  ${shellWord(report.certs)}`)
    io.out(`  as     ${report.as ?? 'the only one there is'}`)
  }
  return EXIT.done
}

async function runRemove(name: string, io: CommandIo): Promise<ExitStatus> {
  const contexts = await readContexts(io)
  findContext(contexts, name)
  const all = new Map([...contexts.all].filter(([other]) => other !== name))
  const current = contexts.current === name ? undefined : contexts.current
  await writeContexts({ current, all }, io)
  io.out(`context ${name} removed${current === contexts.current ? '' : '; commands use none now'}`)
  return EXIT.done
}

function reportOf(name: string, { nodes, certs, as }: Context, current: string | undefined) {
  return { name, current: name === current, nodes: nodes.map(formatAddress), certs, as }
}
