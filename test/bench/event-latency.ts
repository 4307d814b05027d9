import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { parseAddress } from '../../node/lib/address.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { fillList } from './filled-list.ts'
import { quantile, type Bench } from './result.ts'
import { startServer } from './server-process.ts'
import { CLIENT, makeSite, type Site } from './site.ts'
import { millisecondsSince } from './timed-thermometer.ts'

const CLIENTS = 100
const READING_MS = 100
const WARM_MS = 3_000

/** A disk that always has less space than this keeps a node from recording. */
const NEVER_FREE = Number.MAX_SAFE_INTEGER

const NODES = [
  ['node-1', 'recorded', {}],
  ['node-2', 'not recorded', { history: { minFreeBytes: NEVER_FREE } }],
] as const

/** What the history of a node costs the events of its clients: two nodes side by side, one of which records nothing. */
export const measureEventLatency: Bench = async ({ quick, progress }) => {
  await using stack = new AsyncDisposableStack()
  const site = stack.use(await makeSite(NODES.map(([name]) => name)))
  const heard = new Map<string, number[]>()
  for (const [name, what, more] of NODES) {
    progress(`connecting ${CLIENTS} clients to ${name}`)
    const server = stack.use(
      await startServer('our-server.ts', [await configure(site, name, more)]),
    )
    const latencies: number[] = []
    heard.set(what, latencies)
    const credentials = await site.certs.load('client', CLIENT)
    const address = parseAddress(`127.0.0.1:${server.port}`)
    for (let count = 0; count < CLIENTS; count += 1) {
      const connection = await openNodeConnection({
        address,
        credentials,
        clock: systemClock,
        onEvent: (_, event) => {
          if (event.type === 'reading') latencies.push(millisecondsSince(event.value))
        },
      })
      stack.use(connection)
    }
  }
  await delay(WARM_MS)
  for (const latencies of heard.values()) latencies.length = 0
  progress('listening')
  await delay(quick ? 5_000 : 40_000)
  return [
    {
      title: `Events of ${CLIENTS} clients, a reading every ${READING_MS} ms: from the program to the client`,
      rows: [
        ['readings are', 'events', 'median', '99th percentile', 'slowest'],
        ...Array.from(heard, ([what, latencies]) => [
          what,
          String(latencies.length),
          ...[0.5, 0.99, 1].map(share => `${quantile(latencies, share).toFixed(2)} ms`),
        ]),
      ],
      notes: ['Both nodes and all clients run at the same time on this machine.'],
    },
  ]
}

async function configure(site: Site, name: string, more: object): Promise<string> {
  const data = await site.dataFolder(name)
  const operator = await site.certs.load('operator', 'admin')
  fillList({ data, names: 1, operator, node: await site.certs.load('node', name) })
  const program = join(import.meta.dirname, 'timed-thermometer.ts')
  const command = [process.execPath, program, String(READING_MS)]
  const temperature = { driver: 'command', kind: 'temperature', command, minIntervalMs: 0 }
  return site.writeConfig(name, { sensors: { temperature }, metrics: { listen: 'off' }, ...more })
}
