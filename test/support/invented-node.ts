import { createServer, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import { parseName, sourceOf } from '../../node/identity/names.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { tlsOptions } from '../../node/identity/tls.ts'
import { attachEmitter } from '../../node/wire/emitter.ts'
import { Channel } from '../../node/wire/channel.ts'
import { CLIENT_HEARTBEAT, type Bye } from '../../node/wire/control.ts'
import { NODE_LIMITS } from '../../node/wire/limits.ts'
import { serveRpc, type RpcMethod } from '../../node/wire/rpc.ts'
import type { TestCerts } from './certs.ts'

/** What a node with a genuine certificate and a program of its own says. */
export interface Invention {
  /** What its methods answer. */
  readonly methods?: Readonly<Record<string, RpcMethod>>
  /** Sensors of its hello. */
  readonly sensors?: readonly unknown[]
  /** What one of them says: its name, then an event with its values. */
  readonly events?: readonly (readonly [sensor: string, event: string, ...values: unknown[]])[]
  /** Whether it closes the stream of calls at the first one. Default false. */
  readonly endsCalls?: boolean
  /** What it says instead of serving. */
  readonly bye?: Bye
}

/** Start a node that is not ours but for its certificate. @returns its `HOST:PORT` */
export async function startInventedNode(
  t: Pick<ExecutionContext, 'teardown'>,
  certs: TestCerts,
  invention: Invention,
): Promise<string> {
  const node = parseName('node-1')
  const credentials = await certs.load('node', node)
  const sockets = new Set<TLSSocket>()
  const server = createServer({ ...tlsOptions(credentials), requestCert: true }, socket => {
    sockets.add(socket)
    invent(socket, invention)
  })
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    const closed = once(server, 'close')
    server.close()
    await closed
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return formatAddress({ host: '127.0.0.1', port: address.port })
}

function invent(
  socket: TLSSocket,
  { methods = {}, sensors = [], events = [], endsCalls = false, bye }: Invention,
) {
  const hello = { node: 'node-1', run: sourceOf(parseName('node-1'), '0'.repeat(16)), sensors }
  const channel: Channel = new Channel(socket, {
    limits: NODE_LIMITS,
    clock: systemClock,
    control: { opens: true, ...CLIENT_HEARTBEAT, hello: { ...hello, version: '0.0.0' } },
    ...(!endsCalls && { rpc: { methods: () => new Map(Object.entries(methods)), reopens: false } }),
    onStream: stream => {
      const hangUp = async (): Promise<void> => stream.end()
      const all = new Map(Object.keys(methods).map(name => [name, hangUp]))
      serveRpc(stream, all, { limits: NODE_LIMITS, onRefused: () => channel.close() })
      return true
    },
    onEnd: () => {},
  })
  if (bye !== undefined) return channel.close(bye)
  const emitters = new Map(
    [...new Set(events.map(([sensor]) => sensor))].map(sensor => {
      const onRefused = (): void => channel.close()
      const options = { limits: NODE_LIMITS, accepts: new Set<string>(), onRefused }
      return [sensor, attachEmitter(channel.open(sensor), options)] as const
    }),
  )
  for (const [sensor, event, ...values] of events) emitters.get(sensor)?.emit(event, ...values)
}
