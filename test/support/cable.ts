import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import type { Address } from '../../node/lib/address.ts'

/** A cable between clients and a node, for a test to cut. */
export interface Cable {
  /** Where clients plug in, `HOST:PORT`. */
  readonly address: string
  /** How many connections have begun. */
  readonly connections: number
  /** End the connections over it, as a network does: without a word. */
  cut(): void
  /** As `cut`, and let nobody in until `plug`. */
  unplug(): void
  plug(): void
  /** Deliver nothing more of the connections over it, and tell neither end. */
  silence(): void
  /**
   * From now on lose what the node sends, or the clients do, from the first piece on that is larger,
   * in bytes.
   * @returns once it did
   */
  loseLarge(maxBytes: number, from?: 'node' | 'clients'): Promise<void>
}

export async function layCable(t: Pick<ExecutionContext, 'teardown'>, to: Address): Promise<Cable> {
  /** The end of each connection at the client, with its end at the node. */
  const ends = new Map<Socket, Socket>()
  let connections = 0
  let losing:
    | {
        readonly maxBytes: number
        readonly from: 'node' | 'clients'
        readonly hasLost: () => void
      }
    | undefined
  const server = createServer(near => {
    connections += 1
    const far = connect(to)
    ends.set(near, far)
    for (const end of [near, far]) {
      end.setNoDelay(true).on('error', () => {})
      end.on('close', () => {
        ends.delete(near)
        near.destroy()
        far.destroy()
      })
    }
    const [lossy, other] = losing?.from === 'clients' ? [near, far] : [far, near]
    other.pipe(lossy)
    if (losing === undefined) return void lossy.pipe(other)
    const { maxBytes, hasLost } = losing
    lossy.on('data', (piece: Buffer) => {
      if (piece.length <= maxBytes) return void other.write(piece)
      lossy.removeAllListeners('data').resume()
      hasLost()
    })
    lossy.on('end', () => other.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cut = (): void => {
    for (const near of ends.keys()) near.destroy()
  }
  t.teardown(() => {
    cut()
    server.close()
  })
  return {
    address: `127.0.0.1:${port}`,
    get connections() {
      return connections
    },
    cut,
    unplug: () => {
      server.close()
      cut()
    },
    loseLarge: async (maxBytes, from = 'node') =>
      new Promise(hasLost => {
        losing = { maxBytes, from, hasLost }
      }),
    plug: () => void server.listen(port, '127.0.0.1'),
    silence: () => {
      for (const end of Array.from(ends).flat()) end.unpipe().resume()
    },
  }
}
