import { loadCredentials } from '../../node/identity/credentials.ts'
import { connect, parseName } from '../../node/client/index.ts'
import type { Outages, StormOrder } from './reconnect.ts'
import { CLIENT } from './site.ts'

// The clients of the reconnect bench, each with the client library: reconnect-clients.ts ORDER
const { certs, address, clients } = JSON.parse(process.argv[2] ?? '') as StormOrder
const credentials = await loadCredentials(
  { dir: certs, role: 'client', name: parseName(CLIENT) },
  { now: Date.now() },
)
const lostAt = new Map<number, number>()
let outages: number[] = []

async function stay(index: number): Promise<void> {
  const fridge = await connect({ nodes: [address], credentials, timeoutMs: 60_000 })
  void follow(index, fridge.events())
}

async function follow(index: number, events: AsyncIterable<{ type: string }>): Promise<void> {
  for await (const { type } of events) {
    if (type === 'lost') lostAt.set(index, performance.now())
    const since = lostAt.get(index)
    if (type !== 'connected' || since === undefined) continue
    lostAt.delete(index)
    outages.push(performance.now() - since)
    if (outages.length < clients) continue
    process.send?.(outages satisfies Outages)
    outages = []
  }
}

process.on('disconnect', () => process.exit())
for (let index = 0; index < clients; index += 10) {
  const some = Array.from({ length: Math.min(10, clients - index) }, async (_, offset) =>
    stay(index + offset),
  )
  await Promise.all(some)
}
process.send?.([] satisfies Outages)
