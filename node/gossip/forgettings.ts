import type { Name, Source } from '../identity/names.ts'
import { isSignature } from '../identity/signature.ts'
import { objectionTo, type Signer, type Signers } from '../identity/signers.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Update } from './document.ts'
import { forgettingSource, parseForgetting, type Forgetting } from '../whitelist/forgetting.ts'

/** A forgetting as it travels in *members*, and its signature. */
interface ForgettingValue {
  readonly forgotten: string
  readonly certificate: string
  readonly signature: string
}

/** A forgetting as it is kept on disk: the certificate is needed too, with its intermediates. */
interface KeptForgetting {
  readonly text: string
  readonly chain: readonly string[]
  readonly signature: string
  /** Whether the node has come back since. */
  readonly isOver?: boolean
}

/** A file that is replaced as a whole. */
export interface ForgettingFile {
  read(maxBytes: number): string | undefined
  replace(text: string): void
}

export interface ForgettingsOptions {
  readonly signers: Signers
  /** Whether an operator was removed: what it has forgotten counts no more. */
  readonly isRevoked: (operator: Name) => boolean
  readonly file: ForgettingFile
  readonly log: Log
}

/** Forgettings that are kept. Of more the oldest go, those of removed operators first, and their nodes are shown again. */
const MAX_KEPT = 256

/** Of the file: a text and a chain of four certificates have less than 64 KiB. */
const MAX_BYTES = MAX_KEPT * 65_536

/** What became of a forgetting that was to be kept. */
interface Noted {
  readonly taken: boolean
  readonly dropped?: Source
}

interface Kept {
  readonly forgetting: Forgetting
  readonly update: Update
  /** Whether a later run of the node was linked since: which one need not be remembered. */
  isOver: boolean
}

/**
 * The nodes that operators have said will not come back. Each word is signed by its operator, so no
 * node can hide another; and whoever can be reached is shown, whatever was said.
 */
export class Forgettings {
  readonly #options: ForgettingsOptions
  readonly #kept = new Map<Source, Kept>()

  constructor(options: ForgettingsOptions) {
    this.#options = options
  }

  /** Every one as an update of *members*. */
  updates(): Iterable<Update> {
    return this.#kept.values().map(({ update }) => update)
  }

  /** Whether an operator has said that a node of which no other run is known will not come back. */
  covers(name: Name, runs: readonly Source[]): boolean {
    return this.#kept
      .values()
      .some(
        ({ forgetting, isOver }) =>
          !isOver &&
          forgetting.name === name &&
          !this.#options.isRevoked(forgetting.operator) &&
          runs.every(run => forgetting.runs.includes(run)),
      )
  }

  /** A run of a node can be reached: what was said before of that node is over, also for later starts. */
  heard(name: Name, run: Source): void {
    const ended = this.#kept
      .values()
      .filter(
        ({ forgetting, isOver }) =>
          !isOver && forgetting.name === name && !forgetting.runs.includes(run),
      )
      .toArray()
    for (const kept of ended) kept.isOver = true
    if (ended.length > 0) this.#write()
  }

  /** The nodes of which something was said that still holds. */
  names(): Set<Name> {
    const open = this.#kept.values().filter(({ isOver }) => !isOver)
    return new Set(open.map(({ forgetting }) => forgetting.name))
  }

  /** Why the value of an update is no forgetting; undefined if it has the form of one. */
  static problemOf([value, sequence, source]: Update): string | undefined {
    const { forgotten, certificate, signature, ...rest } = value as Record<string, unknown>
    if (Object.keys(rest).length > 0) return 'a forgetting has unknown fields'
    if (typeof certificate !== 'string' || !isSignature(signature)) {
      return 'a forgetting is not signed'
    }
    const forgetting = parseForgetting(forgotten)
    if (typeof forgetting === 'string') return forgetting
    const isThere =
      sequence === 1 && source === forgettingSource(forgetting.name, forgotten as string)
    return isThere ? undefined : 'a forgetting is not at its place'
  }

  /** Check an update without a problem. @returns why its link must end, if it must */
  async check([value]: Update): Promise<string | undefined> {
    const { forgotten: text, certificate, signature } = value as ForgettingValue
    const signer = this.#options.signers.get(certificate)
    if (signer === undefined) return 'the certificate of an operator was not sent'
    return this.#objection(text, signer, signature)
  }

  /**
   * Keep an update that was checked, also for later runs, unless its operator was removed.
   * @returns whether it was kept, and the source of one that was dropped for it
   */
  keep(update: Update): Noted {
    const noted = this.#note(update)
    if (noted.taken) this.#write()
    return noted
  }

  #write(): void {
    const { file, log } = this.#options
    try {
      file.replace(this.#encode())
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, 'cannot keep which nodes are forgotten')
    }
  }

  /** Read what was kept in an earlier run: each is checked anew. */
  async recall(): Promise<Update[]> {
    const { file, signers, log } = this.#options
    const recalled: Update[] = []
    try {
      const text = file.read(MAX_BYTES)
      const kept = text === undefined ? [] : readKept(text)
      for (const { text, chain, signature, isOver = false } of kept.slice(-MAX_KEPT)) {
        const signer = signers.learn(chain)
        if (typeof signer === 'string') continue
        if ((await this.#objection(text, signer, signature)) !== undefined) continue
        const update = asUpdate(text, signer, signature)
        if (update !== undefined && this.#note(update, isOver).taken) recalled.push(update)
      }
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, 'cannot read which nodes are forgotten')
    }
    return recalled
  }

  async #objection(text: string, signer: Signer, signature: string): Promise<string | undefined> {
    const forgetting = parseForgetting(text)
    if (typeof forgetting === 'string') return forgetting
    const objection = objectionTo(signer, 'operator', forgetting.operator, forgetting.at)
    if (objection !== undefined) return objection
    const holds = await this.#options.signers.verify(signer, 'forgetting', text, signature)
    return holds ? undefined : `a forgetting is not signed by ${signer.identity.subject}`
  }

  #note(update: Update, isOver = false): Noted {
    const [value, , source] = update
    const forgetting = parseForgetting((value as ForgettingValue).forgotten)
    const isIdle = typeof forgetting === 'string' || this.#options.isRevoked(forgetting.operator)
    if (isIdle || this.#kept.has(source)) return { taken: false }
    this.#kept.set(source, { forgetting, update, isOver })
    if (this.#kept.size <= MAX_KEPT) return { taken: true }
    const dropped = this.#leastNeeded()
    this.#kept.delete(dropped)
    return { taken: dropped !== source, dropped }
  }

  #leastNeeded(): Source {
    const order = [...this.#kept].map(([source, { forgetting }]) => ({
      source,
      at: this.#options.isRevoked(forgetting.operator) ? -1 : forgetting.at,
    }))
    return order.reduce((least, one) => (one.at < least.at ? one : least)).source
  }

  #encode(): string {
    const kept: KeptForgetting[] = []
    for (const { update, isOver } of this.#kept.values()) {
      const { forgotten: text, certificate, signature } = update[0] as ForgettingValue
      const signer = this.#options.signers.get(certificate)
      if (signer !== undefined)
        kept.push({ text, chain: signer.chain, signature, ...(isOver && { isOver }) })
    }
    return JSON.stringify(kept)
  }
}

/** A signed text as an update of *members*; undefined where the text is no forgetting. */
export function asUpdate(text: string, signer: Signer, signature: string): Update | undefined {
  const forgetting = parseForgetting(text)
  if (typeof forgetting === 'string') return undefined
  const { fingerprint: certificate } = signer.identity
  const value: ForgettingValue = { forgotten: text, certificate, signature }
  return [value, 1, forgettingSource(forgetting.name, text)]
}

/** Whether an update of *members* carries a forgetting, and not a member. */
export function isForgetting([value]: Update): boolean {
  return typeof value === 'object' && value !== null && 'forgotten' in value
}

/** @throws when it is none of ours */
function readKept(text: string): KeptForgetting[] {
  const parsed: unknown = JSON.parse(text)
  if (!Array.isArray(parsed)) throw new TypeError('it holds no list')
  return parsed.filter(isKept)
}

function isKept(value: unknown): value is KeptForgetting {
  if (typeof value !== 'object' || value === null) return false
  const { text, chain, signature, isOver } = value as Record<string, unknown>
  if (isOver !== undefined && typeof isOver !== 'boolean') return false
  return typeof text === 'string' && Array.isArray(chain) && isSignature(signature)
}
