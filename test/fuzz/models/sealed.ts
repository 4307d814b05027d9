/** What was truly sealed, by its number: the bytes of its box in base64url, and what is in it. */
export type SealedTable = ReadonlyMap<number, { readonly box: string; readonly opens: unknown }>

export interface SealedRules {
  readonly epoch: string
  readonly channel: string
  readonly events: SealedTable
  readonly calls: SealedTable
}

const EPOCH = /^[A-Za-z0-9_-]{11}$/
const BOX = /^[A-Za-z0-9_-]*$/

/** What is to become of a line, a word for it where nothing is opened (PROTOCOL.md, "Sealed sensors"). */
export class SealedModel {
  readonly #rules: SealedRules
  /** The number of the last call that was taken. */
  #last = 0

  constructor(rules: SealedRules) {
    this.#rules = rules
  }

  event([epoch, box, sequence]: readonly unknown[]): unknown {
    if (typeof epoch !== 'string' || !EPOCH.test(epoch)) return 'malformed'
    if (typeof box !== 'string' || box.length > 2_048 || !BOX.test(box)) return 'malformed'
    if (!Number.isSafeInteger(sequence) || (sequence as number) < 1) return 'malformed'
    if (epoch !== this.#rules.epoch) return 'unknown'
    return opened(this.#rules.events, sequence, box) ?? 'unknown'
  }

  call([channel, count, box]: readonly unknown[]): unknown {
    if (typeof channel !== 'string' || !/^[a-z][a-z0-9-]{0,31}$/.test(channel)) return 'malformed'
    if (typeof count !== 'number') return 'malformed'
    if (typeof box !== 'string' || box.length > 4_096 || !BOX.test(box)) return 'malformed'
    if (channel !== this.#rules.channel || count <= this.#last) return 'refused'
    const call = opened(this.#rules.calls, count, box)
    if (call === undefined) return 'refused'
    this.#last = count
    return call
  }
}

function opened(table: SealedTable, sequence: unknown, box: string): unknown {
  const sealed = table.get(sequence as number)
  const isIt = sealed !== undefined && bytesOf(sealed.box) === bytesOf(box)
  return isIt ? sealed.opens : undefined
}

/** Two texts may stand for the same bytes: the last bits of some are passed over. */
function bytesOf(box: string): string {
  return Buffer.from(box, 'base64url').toString('hex')
}
