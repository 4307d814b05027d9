import { parseSensorEvent, type SealedEvent, type SensorInfo } from '../events/told-sensor.ts'
import type { ChannelInfo } from '../seal/format.ts'
import { ChannelKey } from '../seal/channel-key.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import type { SensorEvent } from '../sensors/kinds.ts'
import type { NodeHello } from './node-hello.ts'

/** What a sealed event says: `unavailable` where this client cannot open it. */
export type OpenSealed = (sensor: SensorInfo, sealed: SealedEvent) => SensorEvent

/** Keys of channels that are kept; each costs 0.15 s to derive, so that a node cannot ask for many. */
const MAX_CHANNELS = 16

/** Opens what nodes have sealed, with the one passphrase that a client has, or none. */
export class Unsealer {
  readonly #passphrase: string | undefined
  readonly #keys = new Map<string, ChannelKey>()

  constructor(passphrase: string | undefined) {
    this.#passphrase = passphrase
  }

  /** @param now for the time of what is not known, by the clock of the node */
  openerFor({ node, run }: Pick<NodeHello, 'node' | 'run'>, now: () => number): OpenSealed {
    return (sensor, { epoch, box, sequence }) => {
      const unknown = (why: string): SensorEvent => ({
        type: 'unavailable',
        reason: `${UNKNOWN}${why}`,
        at: now(),
      })
      const key = this.keyOf(sensor.sealed)
      if (key === undefined) return unknown('it is for the holders of a passphrase')
      if (key.info.epoch !== epoch) return unknown('it is for another passphrase')
      const opened = key.open({ kind: 'event', node, run, about: sensor.name }, sequence, box)
      const [type, ...values] = opened ?? []
      const numbered =
        typeof type === 'string'
          ? parseSensorEvent(sensor.kind, type, [...values, sequence])
          : undefined
      return numbered?.event ?? unknown('it was altered on its way')
    }
  }

  /** The key of a channel; undefined without a passphrase. */
  keyOf(info: Pick<ChannelInfo, 'channel' | 'domain'> | undefined): ChannelKey | undefined {
    if (info === undefined || this.#passphrase === undefined) return undefined
    const { channel, domain } = info
    const name = `${domain}/${channel}`
    const key = this.#keys.get(name) ?? ChannelKey.ofNow({ channel, domain }, this.#passphrase)
    keepNewest(this.#keys, name, key, MAX_CHANNELS)
    return key
  }
}

/** What stands before each reason why a sealed event is not known. */
const UNKNOWN = 'sealed: '

/** Whether an event of a sealed sensor only says once more why nothing is known of it. */
export function saysNothingNew(before: SensorEvent | undefined, event: SensorEvent): boolean {
  return (
    before?.type === 'unavailable' &&
    event.type === 'unavailable' &&
    event.reason === before.reason &&
    event.reason.startsWith(UNKNOWN)
  )
}
