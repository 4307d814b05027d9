import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { parseAddress } from '../../node/lib/address.ts'
import { openNodeConnection, type NodeConnection } from '../../node/client/node-connection.ts'
import { loadCredentials } from '../../node/identity/credentials.ts'
import { errorMessage } from '../../node/lib/errors.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatReading } from '../../node/sensors/kinds.ts'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import type { CommandContext } from '../command.ts'
import { styled } from '../output/style.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectOperator } from '../operator.ts'
import { runCertsInit } from './certs-init.ts'
import { runCertsIssue } from './certs-issue.ts'
import { startNodeProcess, type NodeProcess } from './demo-nodes.ts'

const CLIENT = 'fridge-client-001'
const NODES = ['node-1', 'node-2', 'node-3']
const EVENTS_SHOWN = 6
const CONFIG = `metrics:
  listen: off
web:
  listen: 127.0.0.1:0
simulation:
  doorOpensPerHour: 600
  doorOpenMs: 2000
  readingIntervalMs: 1000
`

/** Fill `fridge demo`. */
export function fillDemo(demo: Command, { io, action }: CommandContext): void {
  demo
    .option('--once', 'end after the walk instead of staying up')
    .action(action((options: { once?: boolean }) => runDemo(options, io)))
}

/** Walk through a cluster of real processes: let a client in, throw it out, let it in again. */
export async function runDemo({ once }: { once?: boolean }, io: CommandIo): Promise<ExitStatus> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'fridge-demo-'))
  stack.defer(async () => rm(folder, { recursive: true, force: true }))
  const certs = join(folder, 'certs')

  say(
    io,
    `Certificates: an authority, operator admin, ${NODES.length} nodes and ${CLIENT}, in ${certs}`,
  )
  await makeCertificates(certs, io)

  const nodes = await startNodes(folder, certs, io, stack)
  io.signal.throwIfAborted()
  const [first, second, third] = nodes
  if (first === undefined || second === undefined || third === undefined) return EXIT.notDone
  say(io, `Three nodes, each a process, found each other from one seed:`)
  for (const { name, address, page } of nodes) io.out(`  ${name}  ${address}  page ${page}`)

  const walk = { io, certs, nodes }
  say(io, `${CLIENT} is not on the list yet:`)
  await tryToConnect(first, walk)

  say(io, `The operator adds it on ${first.name}; every node answers for itself:`)
  await change('grant', first, walk)

  say(io, `${CLIENT} connects to every node; these are live events:`)
  const connections = await connectEverywhere(walk)
  for (const connection of connections) stack.use(connection)

  say(io, `The operator removes it on ${second.name}, while it is connected to all three:`)
  const cuts = watchCuts(connections, io)
  await change('revocation', second, walk)
  await cuts
  await tryToConnect(third, walk)

  say(io, `And lets it in again, on ${third.name}:`)
  await change('grant', third, walk)

  if (once === true || io.signal.aborted) return EXIT.done
  printCommands(folder, walk)
  await new Promise<void>(resolve => {
    if (io.signal.aborted) resolve()
    io.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  io.out('')
  say(io, 'Stopping the nodes and removing their files.')
  return EXIT.done
}

interface Walk {
  readonly io: CommandIo
  readonly certs: string
  readonly nodes: readonly NodeProcess[]
}

function say({ out, hasColours }: CommandIo, text: string): void {
  out(styled(text, 'bold', hasColours))
}

async function makeCertificates(certs: string, io: CommandIo): Promise<void> {
  const quiet: CommandIo = { ...io, out: () => {} }
  await runCertsInit({ certs }, quiet)
  for (const name of NODES) await runCertsIssue('node', name, { certs }, quiet)
  await runCertsIssue('client', CLIENT, { certs }, quiet)
}

async function startNodes(
  folder: string,
  certs: string,
  io: CommandIo,
  stack: AsyncDisposableStack,
): Promise<NodeProcess[]> {
  const config = join(folder, 'node.yaml')
  await writeFile(config, CONFIG)
  const start = async (name: string, peers: readonly string[]): Promise<NodeProcess> => {
    io.signal.throwIfAborted()
    const data = join(folder, 'data', name)
    const args = ['--config', config, '--certs', certs, '--data', data, '--listen', '127.0.0.1:0']
    return stack.use(await startNodeProcess(name, [...args, ...peers], io))
  }
  const [name = '', ...others] = NODES
  const seed = await start(name, [])
  const started = await Promise.all(
    others.map(async other => start(other, ['--peer', seed.address])),
  )
  return [seed, ...started]
}

async function tryToConnect(node: NodeProcess, walk: Walk): Promise<void> {
  try {
    await using _connection = await connect(node, walk)
  } catch (error) {
    walk.io.signal.throwIfAborted()
    walk.io.out(`  ${node.name} refuses it: ${foreignText(errorMessage(error))}`)
  }
}

async function connect(
  node: NodeProcess,
  { io, certs }: Walk,
  onLine?: (line: string) => void,
): Promise<NodeConnection> {
  const credentials = await loadCredentials({ dir: certs, role: 'client', name: parseName(CLIENT) })
  return openNodeConnection({
    address: parseAddress(node.address),
    credentials,
    clock: io.clock,
    signal: io.signal,
    onEvent: (sensor, event) => {
      const what = event.type === 'reading' ? formatReading(sensor.kind, event.value) : event.type
      onLine?.(`  ${node.name}  ${sensor.name}  ${what}`)
    },
  })
}

async function change(
  kind: 'grant' | 'revocation',
  node: NodeProcess,
  { io, certs }: Walk,
): Promise<void> {
  await using operator = await connectOperator({ certs, node: [node.address] }, io)
  const subject = parseSubject(CLIENT)
  await operator.change(kind === 'grant' ? { kind, subject, terms: {} } : { kind, subject }, {
    waitMs: 10_000,
    onConfirmed: ({ node, afterMs, cut }) => {
      const cuts = cut === undefined || cut === 0 ? '' : ', its connection cut'
      io.out(`  ${node} applied it after ${afterMs.toFixed(1)} ms${cuts}`)
    },
  })
}

/** Connect to every node, and show the first events of all of them. */
async function connectEverywhere(walk: Walk): Promise<NodeConnection[]> {
  let shown = 0
  const enough = Promise.withResolvers<void>()
  const show = (line: string): void => {
    if (shown >= EVENTS_SHOWN) return
    shown += 1
    walk.io.out(line)
    if (shown === EVENTS_SHOWN) enough.resolve()
  }
  const connections: NodeConnection[] = []
  for (const node of walk.nodes) connections.push(await connect(node, walk, show))
  walk.io.signal.addEventListener('abort', () => enough.resolve(), { once: true })
  await Promise.race([enough.promise, ...connections.map(async ({ ended }) => ended)])
  return connections
}

/** Report each cut as the client sees it. */
async function watchCuts(
  connections: readonly NodeConnection[],
  { out, clock }: CommandIo,
): Promise<void> {
  const since = clock.monotonic()
  await Promise.all(
    connections.map(async ({ node, ended }) => {
      const why = await ended
      out(
        `  client: cut by ${node} ${(clock.monotonic() - since).toFixed(1)} ms after the operator's command: ${why.message}`,
      )
    }),
  )
}

function printCommands(folder: string, { io, certs, nodes }: Walk): void {
  const [first, second] = nodes
  const target = nodes.map(({ address }) => `--node ${address}`).join(' ')
  const fridge = typedAs(io)
  io.out('')
  say(io, 'The cluster stays up. In a second terminal, in this folder:')
  io.out(`  export FRIDGE_CERTS=${certs}`)
  io.out(`  ${fridge} client watch ${target} --door-timeout 5s --max-temperature 8`)
  io.out(`  ${fridge} client call setTargetTemperature 7 --node ${second?.address}`)
  io.out(`  ${fridge} whitelist remove ${CLIENT} --reason 'lost laptop' --node ${second?.address}`)
  io.out(`  ${fridge} whitelist list --node ${first?.address}`)
  io.out(`  ${fridge} whitelist add ${CLIENT} --node ${first?.address}`)
  io.out(`  ${fridge} status --node ${first?.address}`)
  io.out(`Everything is in ${folder}. Ctrl-C ends and removes it.`)
}

/** How this program is called: by its launcher in a checkout, by `npx`, or by its name where it is installed. */
export function typedAs({ self, env }: Pick<CommandIo, 'self' | 'env'>): string {
  if (self.at(-1)?.endsWith('.ts') === true) return './cli/fridge'
  return env['npm_command'] === 'exec' ? 'npx fridge' : 'fridge'
}
