import type { Sealed } from '../seal/format.ts'
import type { SensorSeal } from '../seal/seals.ts'
import type { SensorEvent } from '../sensors/kinds.ts'

/** What an event is to those who are told no value. Sealed when it is first sent, and then no more. */
export class EventSeal {
  readonly #seal: SensorSeal
  readonly #event: SensorEvent
  readonly #sequence: number
  #sealed: Sealed | undefined
  #gcrypt: string | undefined

  constructor(seal: SensorSeal, event: SensorEvent, sequence: number) {
    this.#seal = seal
    this.#event = event
    this.#sequence = sequence
  }

  /** With the passphrase that is in use now: what is kept for newcomers is sealed anew with another. */
  get sealed(): Sealed {
    const { epoch } = this.#seal.info
    if (this.#sealed?.epoch !== epoch) {
      this.#sealed = this.#seal.seal(this.#sequence, valuesOf(this.#event))
    }
    return this.#sealed
  }

  /** As g-crypt encrypts it; undefined where its channel is not for old pages. */
  get gcrypt(): string | undefined {
    if (!this.#seal.hasGcrypt) return undefined
    this.#gcrypt ??= this.#seal.gcrypt({ ...this.#event, sequence: this.#sequence })
    return this.#gcrypt
  }
}

/** What is in the box: the event as `fridge/1` tells it, without its number, which is beside it. */
function valuesOf(event: SensorEvent): unknown[] {
  switch (event.type) {
    case 'reading':
      return [event.type, event.value, event.unit, event.at]
    case 'unavailable':
      return [event.type, event.reason, event.at]
    default:
      return [event.type, event.at]
  }
}
