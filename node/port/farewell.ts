import type { TLSSocket } from 'node:tls'
import type { Service } from '../sessions/service.ts'
import type { Dialect } from '../events/dialect.ts'
import type { Role } from '../identity/names.ts'
import { Channel } from '../wire/channel.ts'
import { CLIENT_HEARTBEAT, type Bye } from '../wire/control.ts'
import { endSoon } from '../wire/end-soon.ts'
import type { WireLimits } from '../wire/limits.ts'

export interface RefusingNode {
  readonly service: Pick<Service, 'node' | 'run' | 'version' | 'clock'>
  readonly limits: WireLimits
}

/** Say why a peer is not let in, where the protocol has a place for it, and close. */
export function sayFarewell(
  socket: TLSSocket,
  { dialect, role }: { readonly dialect: Dialect; readonly role: Role },
  bye: Bye,
  { service, limits }: RefusingNode,
): void {
  const { node, run, version, clock } = service
  if (dialect === 'plain') return endSoon(socket, clock)
  const channel = new Channel(socket, {
    limits,
    clock,
    control: {
      opens: true,
      ...CLIENT_HEARTBEAT,
      hello: role === 'node' ? { source: run } : { node, run, version },
      takesProof: role === 'node',
    },
    onEnd: () => {},
  })
  channel.close(bye)
}
