import { once } from 'node:events'
import { io, type Socket } from 'socket.io-client'
import { WebSocket, type RawData } from 'ws'
import type { Cluster } from './cluster.ts'

/** For the configuration of a test's node: pages on a port that the system chooses. */
export const WEB_ON = { web: { listen: '127.0.0.1:0' } }

/** A page as the stock library makes it, with all that it heard. */
export interface Page extends Disposable {
  readonly socket: Socket
  readonly heard: readonly (readonly unknown[])[]
  /** The first event from the place `from` that fits, said or still to come. */
  find(isIt: (event: readonly unknown[]) => boolean, from?: number): Promise<readonly unknown[]>
  /** A reading of a sensor that comes from now on. */
  reading(sensor: string): Promise<readonly unknown[]>
  /** The reason of the `bye`, once it comes. */
  bye(): Promise<string>
}

/** Why a page was refused, as the stock library hands it to the page. */
export interface Refused {
  readonly message: string
  readonly data?: { readonly reason: string; readonly text: string }
}

/** A browser says where its page comes from; here a program does. */
function pageOptions(cluster: Pick<Cluster, 'certs'>, origin: string | undefined) {
  return {
    transports: ['websocket'],
    ca: cluster.certs.ca,
    forceNew: true,
    reconnection: false,
    ...(origin !== undefined && { extraHeaders: { origin } }),
  }
}

function urlOf(cluster: Pick<Cluster, 'node'>, index: number): string {
  const { page } = cluster.node(index)
  if (page === undefined) throw new Error(`node-${index} serves no page`)
  return page
}

/** Connect a page of an origin. */
export async function openPage(cluster: Cluster, index: number, origin: string): Promise<Page> {
  const socket = io(urlOf(cluster, index), pageOptions(cluster, origin))
  const heard: unknown[][] = []
  const waiting = new Set<() => void>()
  socket.onAny((...event: unknown[]) => {
    heard.push(event)
    for (const wake of waiting) wake()
  })
  const find: Page['find'] = async (isIt, from = 0) => {
    for (;;) {
      const event = heard.slice(from).find(isIt)
      if (event !== undefined) return event
      await new Promise<void>(resolve => {
        const wake = (): void => {
          waiting.delete(wake)
          resolve()
        }
        waiting.add(wake)
      })
    }
  }
  const joined = await new Promise<Refused | undefined>(resolve => {
    socket.once('connect', () => resolve(undefined))
    socket.once('connect_error', error => resolve(error as Refused))
  })
  if (joined !== undefined) {
    socket.disconnect()
    throw new Error(joined.data?.reason ?? joined.message)
  }
  return {
    socket,
    heard,
    find,
    reading: async sensor =>
      find(
        ([event, name, type]) => event === 'event' && name === sensor && type === 'reading',
        heard.length,
      ),
    bye: async () => {
      const [, said] = await find(([event]) => event === 'bye')
      return (said as { reason: string }).reason
    },
    [Symbol.dispose]: () => void socket.disconnect(),
  }
}

/** Try to connect a page that is refused. */
export async function refusalOf(
  cluster: Cluster,
  index: number,
  origin: string | undefined,
): Promise<Refused> {
  const socket = io(urlOf(cluster, index), pageOptions(cluster, origin))
  try {
    return await new Promise<Refused>((resolve, reject) => {
      socket.once('connect', () => reject(new Error(`a page of ${origin} was let in`)))
      socket.onAny(() => reject(new Error(`a page of ${origin} was told something`)))
      socket.once('connect_error', error => resolve(error as Refused))
    })
  } finally {
    socket.disconnect()
  }
}

/** A WebSocket of the page's port under no library's rule. */
export async function openRawPage(
  cluster: Cluster,
  index: number,
  { origin = 'https://shop.example', query = 'EIO=4&transport=websocket' } = {},
): Promise<WebSocket> {
  const url = `${urlOf(cluster, index).replace('https', 'wss')}socket.io/?${query}`
  const socket = new WebSocket(url, { ca: cluster.certs.ca, origin, perMessageDeflate: false })
  socket.on('error', () => {})
  await once(socket, 'open')
  return socket
}

/** A message as text; of a node none is anything else. */
export function messageText(data: RawData): string {
  return Buffer.isBuffer(data) ? data.toString() : ''
}

/** Join as the library does, and wait until the node says so. */
export async function joinRaw(socket: WebSocket): Promise<void> {
  const joined = new Promise<void>(resolve => {
    socket.on('message', data => {
      if (messageText(data).startsWith('40')) resolve()
    })
  })
  socket.send('40')
  await joined
}

/** Wait until a socket is closed. */
export async function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return
  // An error on the way there is no other end.
  await new Promise(resolve => {
    socket.on('error', () => {}).once('close', resolve)
  })
}
