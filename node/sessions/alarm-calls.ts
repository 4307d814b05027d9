import { MAX_COMMENT, type Alarm } from '../alarms/alarm.ts'
import type { Alarms } from '../alarms/alarms.ts'
import type { Subject } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { RateLimit } from '../lib/rate-limit.ts'
import type { RpcMethod } from '../wire/rpc.ts'

/** Lists of alarms that one connection may ask for: each may take a hundred kilobytes. */
const LIST_PACE = { perSecond: 1, burst: 20 }

/** Who asks for alarms, and what they may know and do by then. */
export interface AlarmCaller {
  readonly subject: Subject
  /** Whether they may read a sensor, at the moment when that is asked. */
  readonly mayRead: (sensor: string) => boolean
  readonly mayAcknowledge: () => boolean
  readonly clock: Clock
}

/** The methods by which one connection is told alarms and takes note of them; none without rules. */
export function alarmMethods(
  alarms: Alarms,
  { subject, mayRead, mayAcknowledge, clock }: AlarmCaller,
): Map<string, RpcMethod> {
  const pace = new RateLimit({ ...LIST_PACE, clock })
  const allowed = ({ sensor }: Alarm): boolean => mayRead(sensor)
  const list = (): { standing: Alarm[]; past: Alarm[] } => ({
    standing: alarms.standing().filter(allowed),
    past: alarms.past().filter(allowed),
  })
  if (!alarms.hasRules) return new Map()
  return new Map<string, RpcMethod>([
    [
      'alarms',
      async () => {
        if (pace.allows('')) return list()
        throw new FridgeError('ERR_LIMIT', 'too many lists of alarms')
      },
    ],
    [
      'acknowledge',
      async ([id, comment]): Promise<Alarm> => {
        if (typeof id !== 'string' || typeof comment !== 'string' || comment.length > MAX_COMMENT) {
          const wants = `the id of an alarm and a comment of at most ${MAX_COMMENT} characters`
          throw new FridgeError('ERR_COMMAND', `acknowledge takes ${wants}`)
        }
        if (!mayAcknowledge()) {
          throw new FridgeError('ERR_REFUSED', 'the grant does not allow acknowledge')
        }
        const { standing, past } = list()
        const known = [...standing, ...past].some(alarm => alarm.id === id)
        const alarm = known ? alarms.acknowledge(id, subject, comment) : undefined
        if (alarm === undefined) throw new FridgeError('ERR_COMMAND', 'there is no such alarm')
        return alarm
      },
    ],
  ])
}
