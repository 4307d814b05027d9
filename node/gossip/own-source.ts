import type { Source } from '../identity/names.ts'

export interface OwnSourceOptions {
  /** The source in which this node numbered changes when it ran last, if its log is the one that it wrote. */
  readonly kept?: Source
  /** A source that was never used before. */
  readonly draw: () => Source
  /**
   * Remember a source for the next start; `undefined`: none that is to be used again.
   * @throws FridgeError `ERR_DATABASE`
   */
  readonly keep?: (source: Source | undefined) => void
}

/**
 * The source in which this node numbers the changes that it accepts. That of the last run is gone on
 * with once a peer has shown that it holds no more of it than this node; else the first change draws
 * a new one, so that no place is ever given twice, whatever was restored, copied or resumed.
 */
export class OwnSource {
  readonly #options: OwnSourceOptions
  /** That of the last run, not taken up yet. */
  #kept: Source | undefined
  #current: Source | undefined
  #isConfirmed = false
  #isStored = false
  /** Whether there are others who may hold more than this node. */
  #hasPeers: () => boolean = () => true

  constructor(options: OwnSourceOptions) {
    this.#options = options
    this.#kept = options.kept
  }

  /** The one that is in use, or may come into use without being drawn. */
  get candidate(): Source | undefined {
    return this.#current ?? this.#kept
  }

  /** Whether it was taken up from the last run: a copy of that run may use it as well. */
  get isShared(): boolean {
    return this.candidate !== undefined && this.candidate === this.#options.kept
  }

  /** A node that nobody has ever heard of goes on without being told what others hold. */
  follow(hasPeers: () => boolean): void {
    this.#hasPeers = hasPeers
  }

  /** A peer holds no more of the candidate than this node. */
  confirm(): void {
    this.#isConfirmed = true
  }

  /** The source for the next change. */
  take(): Source {
    if (this.#current !== undefined) return this.#current
    const mayGoOn = this.#kept !== undefined && (this.#isConfirmed || !this.#hasPeers())
    this.#isStored = mayGoOn
    this.#current = (mayGoOn ? this.#kept : undefined) ?? this.#options.draw()
    return this.#current
  }

  /** Remember the source in use, before anything is numbered by it. @throws FridgeError `ERR_DATABASE` */
  store(): void {
    if (this.#current === undefined || this.#isStored) return
    this.#options.keep?.(this.#current)
    this.#isStored = true
  }

  /** Never use the candidate again. @throws FridgeError `ERR_DATABASE` when that cannot be remembered */
  end(): void {
    this.#current = undefined
    this.#kept = undefined
    this.#isStored = false
    this.#options.keep?.(undefined)
  }
}
