import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { RateLimit } from '../lib/rate-limit.ts'
import { allows } from '../sessions/admission.ts'
import { ServedCalls, type ServedCallsOptions } from '../sessions/served-calls.ts'
import type { OpenViews } from '../sessions/views.ts'
import type { RpcMethod } from '../wire/rpc.ts'

/** How often one page may look at a view: an answer may take some milliseconds, and 256 KiB. */
const PACE = { perSecond: 4, burst: 40 }

export interface PageCallsOptions extends Omit<ServedCallsOptions, 'isPlain'> {
  readonly openViews: OpenViews
  /** By which it looks at other nodes. */
  readonly relayed: ReadonlyMap<string, RpcMethod>
  readonly clock: Clock
}

/** What one page may call: what clients may, and the views of its grant. */
export class PageCalls {
  readonly #options: PageCallsOptions
  readonly #served: ServedCalls
  readonly #pace: RateLimit
  #views: ReturnType<OpenViews> | undefined

  constructor(options: PageCallsOptions) {
    this.#options = options
    this.#served = new ServedCalls({ ...options, isPlain: false })
    this.#pace = new RateLimit({ ...PACE, clock: options.clock })
  }

  /** Call by name. @throws FridgeError in words for the person in front of the page */
  async call([name, ...values]: readonly unknown[]): Promise<unknown> {
    if (typeof name !== 'string') throw new FridgeError('ERR_PROTOCOL', 'there is no such call')
    const method = this.#served.methods.get(name) ?? this.#relayedOf(name) ?? this.#viewOf(name)
    if (method === undefined) throw new FridgeError('ERR_PROTOCOL', 'there is no such call')
    return method(values, () => {}, new AbortController().signal)
  }

  #relayedOf(name: string): RpcMethod | undefined {
    const { relayed, service, hasEnded } = this.#options
    const method = relayed.get(name)
    // A node that slept must see first whether the page may stay.
    if (method !== undefined) service.lookout.check()
    if (hasEnded()) throw new FridgeError('ERR_CLOSED', 'the connection was closed')
    return method
  }

  #viewOf(name: string) {
    const { openViews, rights, service } = this.#options
    this.#views ??= openViews()
    const found = this.#views.get(name)
    if (found === undefined) return undefined
    service.lookout.check()
    if (!allows(rights().views, found.view)) {
      throw new FridgeError('ERR_REFUSED', `the grant does not name the view ${found.view}`)
    }
    if (!this.#pace.allows('')) throw new FridgeError('ERR_LIMIT', 'too many looks at once')
    return found.method
  }
}
