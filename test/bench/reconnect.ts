import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { freePort } from '../support/mosquitto.ts'
import { fillList } from './filled-list.ts'
import { NODE } from './candidates.ts'
import { quantile, type Bench } from './result.ts'
import { startServer } from './server-process.ts'
import { makeSite } from './site.ts'

/** What the process of the clients is told. */
export interface StormOrder {
  readonly certs: string
  readonly address: string
  readonly clients: number
}

/** What it says each time that all clients are connected: how long each was without a node, ms. */
export type Outages = readonly number[]

/** How long the node is away, ms. */
const AWAY_MS = 3_000

/** A node stops with all its clients connected, and comes back. */
export const measureReconnect: Bench = async ({ quick, progress }) => {
  const clients = quick ? 200 : 2_000
  await using site = await makeSite([NODE])
  const data = await site.dataFolder(NODE)
  const operator = await site.certs.load('operator', 'admin')
  fillList({ data, names: 1, operator, node: await site.certs.load('node', NODE) })
  const listen = `127.0.0.1:${await freePort()}`
  const config = await site.writeConfig(NODE, { listen })
  let server = await startServer('our-server.ts', [config])
  progress(`connecting ${clients} clients`)
  const order: StormOrder = { certs: site.certs.dir, address: listen, clients }
  const child = fork(join(import.meta.dirname, 'reconnect-clients.ts'), [JSON.stringify(order)])
  const exit = once(child, 'exit')
  const answer = async (): Promise<Outages> => {
    const [message] = (await Promise.race([
      once(child, 'message'),
      exit.then(([status]) => Promise.reject(new Error(`clients ended with ${status}`))),
    ])) as [Outages]
    return message
  }
  await answer()
  progress('restarting the node')
  const again = answer()
  await server[Symbol.asyncDispose]()
  await delay(AWAY_MS)
  server = await startServer('our-server.ts', [config])
  const startedAt = performance.now()
  const outages = await again
  const allMs = performance.now() - startedAt
  const cpuMs = (await server.cpuMicros()) / 1_000
  child.disconnect()
  await exit
  await server[Symbol.asyncDispose]()
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`
  const rows = [
    ['clients', 'all served again', 'outage p50', 'p99', 'longest', 'processor time of the node'],
    [
      clients.toLocaleString('en'),
      seconds(allMs),
      ...[0.5, 0.99, 1].map(share => seconds(quantile(outages, share))),
      seconds(cpuMs),
    ],
  ]
  const notes = [
    `The node was away for ${AWAY_MS / 1_000} s and its own start; an outage holds both.`,
  ]
  return [{ title: 'Restart of a node with all its clients, from its ready line', rows, notes }]
}
