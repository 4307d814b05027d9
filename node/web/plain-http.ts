import type { Socket } from 'node:net'
import type { Clock } from '../lib/clock.ts'

/** A request line and its headers, in bytes. A longer one is closed. */
const MAX_REQUEST_BYTES = 4_096

/** How long a request may take, in milliseconds. */
const REQUEST_MS = 5_000

const REQUEST = /^GET \/\S* HTTP\/1\.[01]\r\n/
const HOST = /\r\nhost: *((?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?) *\r\n/i

/**
 * Answer a connection that speaks HTTP where HTTPS is spoken: a browser is shown the way, everything
 * else is closed. No page is ever served here, or somebody on the line could serve another one.
 */
export function redirectPlain(socket: Socket, clock: Pick<Clock, 'after'>): void {
  let heard = ''
  const deadline = clock.after(REQUEST_MS, () => socket.destroy())
  socket.once('close', () => deadline[Symbol.dispose]())
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1')
    const end = heard.indexOf('\r\n\r\n')
    if (end === -1 && heard.length <= MAX_REQUEST_BYTES) return
    socket.removeAllListeners('data').resume()
    const host = HOST.exec(heard.slice(0, end + 2))?.[1]
    if (end === -1 || !REQUEST.test(heard) || host === undefined) return void socket.destroy()
    const lines = [
      'HTTP/1.1 308 Permanent Redirect',
      `Location: https://${host}/`,
      'Content-Length: 0',
      'Cache-Control: no-store',
      'Connection: close',
    ]
    socket.end(`${lines.join('\r\n')}\r\n\r\n`)
  })
}
