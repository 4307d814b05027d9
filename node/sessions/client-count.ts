import type { Members } from '../gossip/members.ts'
import type { Clock } from '../lib/clock.ts'
import type { Sessions } from './sessions.ts'

/** How long changes of the number of clients are gathered before peers are told, in milliseconds. */
const GATHER_MS = 1_000

/** Keep the number of clients in this node's entry of *members*, until it is disposed. */
export function startClientCount(
  sessions: Pick<Sessions, 'clients'>,
  members: {
    readonly self: Pick<Members['self'], 'clients'>
    readonly say: Members['say']
  },
  clock: Pick<Clock, 'after'>,
): Disposable {
  let timer: Disposable
  const count = (): void => {
    const { clients } = sessions
    if (members.self.clients !== clients) members.say({ clients })
    timer = clock.after(GATHER_MS, count)
  }
  count()
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}
