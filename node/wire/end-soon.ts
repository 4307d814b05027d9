import type { Duplex } from 'node:stream'
import type { Clock } from '../lib/clock.ts'

/** How long the peer may take to close its end, in milliseconds. */
const FAREWELL_MS = 1_000

/** What is read of a peer that goes on sending, in bytes; past that it loses the last words. */
const MAX_UNHEARD_BYTES = 65_536

/**
 * Send what was written, close this end, and let the peer close its own: soon, and without sending
 * much more. What it still sends must be read, or the close would be a reset and the last words be
 * lost; but to decrypt all that a refused peer sends could take half a core.
 */
export function endSoon(socket: Duplex, clock: Clock): void {
  let unheard = 0
  socket.on('data', (chunk: Uint8Array) => {
    unheard += chunk.length
    if (unheard > MAX_UNHEARD_BYTES) socket.destroy()
  })
  const deadline = clock.after(FAREWELL_MS, () => socket.destroy())
  socket.once('close', () => deadline[Symbol.dispose]())
  socket.end()
  socket.resume()
}
