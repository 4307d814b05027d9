import type { TLSSocket } from 'node:tls'
import type { Clock } from '../lib/clock.ts'
import type { Service } from '../sessions/client-session.ts'
import type { Dialect } from '../events/dialect.ts'
import { Connection } from '../wire/connection.ts'
import { Control, CONTROL_STREAM, type Bye } from '../wire/control.ts'
import type { WireLimits } from '../wire/limits.ts'

/** How long one who was refused may take to close its end, in milliseconds. */
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

/** Say why somebody is not let in, where the protocol has a place for it, and close. */
export function sayFarewell(
  socket: TLSSocket,
  dialect: Dialect,
  { reason, text }: Bye,
  { service, limits }: RefusingNode,
): void {
  if (dialect === 'plain') return endSoon(socket, service.clock)
  const { node, run, version, clock } = service
  const connection = new Connection(socket, {
    limits,
    onStream: () => false,
    onEnd: () => control[Symbol.dispose](),
  })
  const control: Control = new Control(connection, connection.open(CONTROL_STREAM), {
    limits,
    clock,
    heartbeatMs: 60_000,
    deadAfterMs: 60_000,
    hello: { node, run, version },
    onHello: () => undefined,
    onBye: () => {},
    onDead: () => {},
  })
  control.bye(reason, text)
  connection.close()
}
