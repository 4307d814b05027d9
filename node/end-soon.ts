import type { TLSSocket } from 'node:tls'

/** How long one who was refused may take to close its end, in milliseconds. */
const FAREWELL_MS = 1_000

/** Close, and do not wait for long until the other end does: it was not let in. */
export function endSoon(socket: TLSSocket): void {
  const timer = setTimeout(() => socket.destroy(), FAREWELL_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
  socket.end()
  socket.resume()
}
