import type { Source } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import type { ConfirmationRelay } from './confirmation-relay.ts'
import type { Members } from './members.ts'
import type { Held } from './question.ts'
import type { Questions } from './questions.ts'

export interface RollCallOptions {
  readonly confirmations: Pick<ConfirmationRelay, 'subscribe'> & {
    readonly questions: Pick<Questions, 'ask' | 'held'>
  }
  readonly members: Pick<Members, 'id' | 'live'>
  readonly clock: Pick<Clock, 'after'>
  /** How long to wait for nodes that do not answer, in milliseconds. */
  readonly timeoutMs: number
}

/** What every node in reach holds, by its run, this one included; those that do not answer are left out. */
export async function callRoll(options: RollCallOptions): Promise<ReadonlyMap<Source, Held>> {
  const { confirmations, members, clock, timeoutMs } = options
  const { questions } = confirmations
  const held = new Map<Source, Held>([[members.id, questions.held()]])
  const awaited = new Set(members.live().keys())
  awaited.delete(members.id)
  if (awaited.size === 0) return held
  const { promise: over, resolve: finish } = Promise.withResolvers<void>()
  const number = questions.ask()
  using _answers = confirmations.subscribe(({ node, answer }) => {
    if (answer === undefined || answer.number < number) return
    held.set(node, answer)
    awaited.delete(node)
    if (awaited.size === 0) finish()
  })
  using _deadline = clock.after(timeoutMs, finish)
  await over
  return held
}
