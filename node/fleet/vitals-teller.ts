import type { VitalSigns } from '../alarms/vital-signs.ts'
import { MEMBER_LIMITS } from '../gossip/member.ts'
import type { Members } from '../gossip/members.ts'
import { untilNextRound, type Clock } from '../lib/clock.ts'

/** The least time for which readings are gathered before peers are told, in milliseconds. */
const GATHER_MS = 1_000

/**
 * Keep how the fridge is in this node's entry of *members*, until it is disposed: moves, failures and
 * alarms at once, readings once a second at most, at the pace of the cluster.
 */
export function startVitals(
  signs: Pick<VitalSigns, 'encode' | 'subscribe'>,
  members: Pick<Members, 'say' | 'vitalsInMs'>,
  clock: Pick<Clock, 'now' | 'after'>,
): Disposable {
  const stack = new DisposableStack()
  let said = ''
  let timer: Disposable | undefined
  const say = (isUrgent: boolean): void => {
    const vitals = signs.encode(MEMBER_LIMITS.maxVitals)
    const text = JSON.stringify(vitals)
    if (text === said) return
    said = text
    members.say({ vitals, isUrgent })
  }
  stack.use(
    signs.subscribe(isUrgent => {
      if (isUrgent) return say(true)
      // Until they may be told, nobody is to work out what they are each second.
      timer ??= clock.after(Math.max(untilNextRound(clock, GATHER_MS), members.vitalsInMs), () => {
        timer = undefined
        say(false)
      })
    }),
  )
  stack.defer(() => timer?.[Symbol.dispose]())
  say(true)
  return stack
}
