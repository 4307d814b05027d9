import type { Name } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Entry } from '../whitelist/entry.ts'
import { isForkProof, openForkProof } from './fork-proof.ts'
import { makeRemovalProof, openRemovalProof, removalIn, type Removal } from './removal-proof.ts'

/** Where a node that was removed, or has forked, keeps the proof of it, beside its database. */
export const REMOVAL_FILE = 'removed.json'

/** A proof in a file has less: two changes of 1 MiB with their escapes, and four chains. */
export const MAX_REMOVAL_BYTES = 16 * 1_024 * 1_024

/** A file that is replaced as a whole. */
export interface RemovalFile {
  read(maxBytes: number): string | undefined
  replace(text: string): void
}

export interface OwnRemovalOptions {
  readonly name: Name
  readonly signers: Signers
  /** Keeps the proof for later runs: by then no peer may be in reach. */
  readonly file: RemovalFile
  readonly log: Log
}

/**
 * Whether this node itself is out: removed from the list, or cut because two changes at one place
 * carry its signature. It learns that from its own list, or from the proof that each peer shows it
 * before it hangs up: nobody brings it changes any more. It is out for good, so nothing ever takes
 * this back.
 */
export class OwnRemoval {
  readonly #options: OwnRemovalOptions
  readonly #listeners = new Set<() => void>()
  #removal: Removal | undefined
  #isForked = false
  /** A proof costs two signatures to check: one at a time. */
  #isChecking = false

  constructor(options: OwnRemovalOptions) {
    this.#options = options
  }

  /** Who removed this node, and when; undefined while it belongs to its cluster. */
  get removal(): Removal | undefined {
    return this.#removal
  }

  /** Whether two changes at one place carry the signature of this node. */
  get isForked(): boolean {
    return this.#isForked
  }

  /** Whether it serves nobody any more. */
  get isOut(): boolean {
    return this.#removal !== undefined || this.#isForked
  }

  /** Hear of it once: at once where this node is out already. */
  subscribe(listener: () => void): Disposable {
    if (this.isOut) listener()
    else this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Read what was kept in an earlier run. It is checked like what a peer shows. */
  async recall(): Promise<void> {
    const { file, log } = this.#options
    try {
      const text = file.read(MAX_REMOVAL_BYTES)
      if (text === undefined) return
      const problem = await this.#check(JSON.parse(text))
      // Whoever gives a removed node a new name keeps its folder: then the proof is about another.
      if (problem !== undefined) log.info({ reason: problem }, `${REMOVAL_FILE} does not hold`)
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, `${REMOVAL_FILE} cannot be read`)
    }
  }

  /** An entry has taken effect in the own list, or stood there at the start. */
  note(entry: Entry): void {
    const { name, signers } = this.#options
    const removal = removalIn(entry, name)
    if (removal !== undefined) this.#accept(removal, makeRemovalProof(entry, signers))
  }

  /** Its own list shows that this node has forked. @param proof to be kept, where there is one */
  noteFork(proof: unknown): void {
    if (this.isOut) return
    const { name, log } = this.#options
    this.#isForked = true
    const fix = 'give it a new key under a new name: fridge certs issue node NAME'
    log.error(
      { fix },
      `two changes at one place carry the signature of this node: it serves nobody, and no peer takes node/${name} any more. Look for another machine with its key`,
    )
    this.#tell(proof)
  }

  /** A peer shows a proof, and hangs up. One that does not hold changes nothing. */
  async take(proof: unknown, peer: Name): Promise<void> {
    if (this.#removal !== undefined || this.#isChecking) return
    this.#isChecking = true
    try {
      const problem = await this.#check(proof)
      if (problem === undefined) return
      const sentence = 'a peer says that this node is out, and its proof does not hold'
      this.#options.log.warn({ peer, reason: problem }, sentence)
    } finally {
      this.#isChecking = false
    }
  }

  /** @returns why it does not hold */
  async #check(proof: unknown): Promise<string | undefined> {
    const { name, signers } = this.#options
    if (isForkProof(proof)) {
      const problem = await openForkProof(proof, name, signers)
      if (problem === undefined) this.noteFork(proof)
      return problem
    }
    const removal = await openRemovalProof(proof, name, signers)
    if (typeof removal === 'string') return removal
    this.#accept(removal, proof)
    return undefined
  }

  #accept(removal: Removal, proof: unknown): void {
    if (this.#removal !== undefined) return
    const { name, log } = this.#options
    this.#removal = removal
    const fix = 'give it a new name: fridge certs issue node NAME'
    log.error(
      { ...removal, at: new Date(removal.at).toISOString(), fix },
      `this node was removed from the list: it serves nobody, and no peer takes node/${name} any more`,
    )
    this.#tell(proof)
  }

  #tell(proof: unknown): void {
    for (const listener of this.#listeners) listener()
    this.#listeners.clear()
    if (proof !== undefined) this.#keep(JSON.stringify(proof))
  }

  #keep(text: string): void {
    const { file, log } = this.#options
    try {
      file.replace(text)
    } catch (error) {
      log.error({ reason: errorMessage(error) }, `cannot write ${REMOVAL_FILE}`)
    }
  }
}
