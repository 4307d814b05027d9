import { FridgeError } from '../lib/errors.ts'
import { isBox, isChannelName, MAX_COMMAND_BOX, type Sealed } from '../seal/format.ts'
import type { ChannelKey } from '../seal/channel-key.ts'
import type { Service } from '../sessions/service.ts'

export interface SealedCallsOptions {
  readonly service: Pick<Service, 'node' | 'run' | 'seals'>
  /** What the node has drawn for the sign-in of the page: no call of another page fits here. */
  readonly nonce: string
  /** Makes a call as the page makes it in clear. */
  readonly call: (values: readonly unknown[]) => Promise<unknown>
  /** What a page is told of a call that failed. */
  readonly reportOf: (error: unknown) => object
}

/**
 * The calls that one page seals: who carries them knows neither what is asked nor what is answered, and
 * can alter or repeat none, nor let it pass another one.
 * A page seals nothing under a number twice, so that one which was refused leaves a gap.
 */
export class SealedCalls {
  readonly #options: SealedCallsOptions
  /** The number of the last call that has come in each channel: the next has one above it. */
  readonly #counts = new Map<string, number>()

  constructor(options: SealedCallsOptions) {
    this.#options = options
  }

  /**
   * Open a call, make it, and seal what came of it.
   * @param values the channel, the number of the call in it, and the box
   * @throws FridgeError `ERR_PROTOCOL`, `ERR_REFUSED`; what the call itself throws is in the box
   */
  async run([channel, count, box]: readonly unknown[]): Promise<Sealed> {
    if (!isChannelName(channel) || typeof count !== 'number' || !isBox(box, MAX_COMMAND_BOX)) {
      throw new FridgeError('ERR_PROTOCOL', 'a sealed call is malformed')
    }
    const { service, nonce, call, reportOf } = this.#options
    const { node, run, seals } = service
    const key = seals.keyOf(channel)
    if (key === undefined) throw new FridgeError('ERR_REFUSED', 'the node has no such channel')
    const values = this.#open(key, { channel, count, box })
    const outcome = await call(values).then(
      value => ({ value }),
      (error: unknown) => ({ error: reportOf(error) }),
    )
    return key.seal({ kind: 'answer', node, run, about: nonce }, count, [outcome])
  }

  #open(
    key: ChannelKey,
    {
      channel,
      count,
      box,
    }: { readonly channel: string; readonly count: number; readonly box: string },
  ): unknown[] {
    const { service, nonce } = this.#options
    const { node, run } = service
    const isNext = Number.isSafeInteger(count) && count > (this.#counts.get(channel) ?? 0)
    const opened = isNext
      ? key.open({ kind: 'command', node, run, about: nonce }, count, box)
      : undefined
    if (opened === undefined) {
      throw new FridgeError(
        'ERR_REFUSED',
        'a sealed call does not open: it was altered, repeated or is for another passphrase',
      )
    }
    this.#counts.set(channel, count)
    return opened
  }
}
