import {
  connectRpc,
  serveRpc,
  type RpcMethod,
  type RpcRemote,
  type ServeOptions,
} from '../../node/wire/rpc.ts'
import { CLIENT_LIMITS, NODE_LIMITS } from '../../node/wire/limits.ts'
import { FakeClock } from './fake-clock.ts'
import { pairOfOurs, pairWithStock, type Pair, type StockPair } from './wire.ts'
import { stockDnode, type StockMethods } from './wire-stock.ts'

/** What a test lets be called. */
export type Methods = Record<string, RpcMethod>

/** Our end serves; the other is stock dnode. */
export async function serveStock(
  methods: Methods,
  chunking?: (bytes: Buffer) => Buffer[],
): Promise<{ pair: StockPair; remote: StockMethods; failures: unknown[] }> {
  const pair = pairWithStock({
    ...(chunking && { chunking }),
    onStream: (stream, { onRefused }) => {
      serveRpc(stream, new Map(Object.entries(methods)), { limits: CLIENT_LIMITS, onRefused })
      return true
    },
  })
  const failures: unknown[] = []
  const client = stockDnode(undefined, { weak: false })
  client.on('fail', error => failures.push(error))
  client.on('error', error => failures.push(error))
  const stream = pair.stock.createStream('rpc')
  stream.pipe(client).pipe(stream)
  const announced = new Promise<StockMethods>(resolve => client.on('remote', resolve))
  await pair.quiet()
  return { pair, remote: await announced, failures }
}

/** Both ends ours. */
export async function serveOurs(
  methods: Methods,
  options: Pick<ServeOptions, 'codes'> = {},
): Promise<{
  pair: Pair
  remote: RpcRemote
  clock: FakeClock
}> {
  const pair = pairOfOurs(
    {},
    {
      onStream: (stream, { onRefused }) => {
        serveRpc(stream, new Map(Object.entries(methods)), {
          limits: CLIENT_LIMITS,
          onRefused,
          ...options,
        })
        return true
      },
    },
  )
  const clock = new FakeClock()
  const { onRefused } = pair.one
  const connecting = connectRpc(pair.one.mux.open('rpc'), { limits: NODE_LIMITS, onRefused, clock })
  await pair.quiet()
  return { pair, remote: await connecting, clock }
}
