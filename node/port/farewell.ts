import type { TLSSocket } from 'node:tls'
import type { Clock } from '../lib/clock.ts'
import type { Service } from '../sessions/client-session.ts'
import type { Dialect } from '../events/dialect.ts'
import { Channel } from '../wire/channel.ts'
import { CLIENT_HEARTBEAT, type Bye } from '../wire/control.ts'
import type { WireLimits } from '../wire/limits.ts'

/** How long a peer that was refused may take to close its end, in milliseconds. */
const FAREWELL_MS = 1_000

export interface RefusingNode {
  readonly service: Pick<Service, 'node' | 'run' | 'version' | 'clock'>
  readonly limits: WireLimits
}

/** Close, and do not wait for long until the other end does: it was not let in. */
export function endSoon(socket: TLSSocket, clock: Clock): void {
  const deadline = clock.after(FAREWELL_MS, () => socket.destroy())
  socket.once('close', () => deadline[Symbol.dispose]())
  socket.end()
  socket.resume()
}

/** Say why a peer is not let in, where the protocol has a place for it, and close. */
export function sayFarewell(
  socket: TLSSocket,
  dialect: Dialect,
  bye: Bye,
  { service, limits }: RefusingNode,
): void {
  const { node, run, version, clock } = service
  if (dialect === 'plain') return endSoon(socket, clock)
  const channel = new Channel(socket, {
    limits,
    clock,
    control: { opens: true, ...CLIENT_HEARTBEAT, hello: { node, run, version } },
    onEnd: () => {},
  })
  channel.close(bye)
}
