import { type Name, type Source } from '../identity/names.ts'
import type { Signers } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { asUpdate, type Update } from './document-frames.ts'
import { GatheredFile, type ReplacedFile } from './gathered-file.ts'
import type { PartValue } from './member-part.ts'
import type { Member } from './member.ts'
import type { Members } from './members.ts'

export interface LastWordsOptions {
  readonly file: ReplacedFile
  readonly signers: Pick<Signers, 'learn' | 'get'>
  readonly isRemoved: (name: Name) => boolean
  readonly clock: Pick<Clock, 'monotonic' | 'after'>
  readonly log: Pick<Log, 'warn'>
}

/** Nodes whose words are kept, those that are absent before those that are there. */
const MAX_KEPT = 256

/** Of the file: the parts of one node and the certificates under them have less than 256 KiB. */
const MAX_BYTES = MAX_KEPT * 262_144

/**
 * What each other node said last, signed as it came, and a file that keeps it: that a node has left
 * in order is known of it also when all who heard it say so were restarted since. Of a node that is
 * there its newest run is kept, so that no one takes the words of an earlier run for its last.
 */
export class LastWords implements Disposable {
  readonly #options: LastWordsOptions
  readonly #following = new DisposableStack()
  #read = ''

  constructor(options: LastWordsOptions) {
    this.#options = options
  }

  /** What was kept in the last run: updates of *members*, in form, that are checked like those of a peer. */
  recall(): Update[] {
    const { file, signers, log } = this.#options
    try {
      const text = file.read(MAX_BYTES)
      if (text === undefined) return []
      const { certificates, words } = readKept(text)
      this.#read = text
      for (const chain of certificates) signers.learn(chain)
      return words
    } catch (error) {
      const reason = errorMessage(error)
      log.warn({ file: file.path, reason }, 'cannot read what other nodes said last')
      return []
    }
  }

  /** Keep what these members say from now on, which have taken up what was recalled. */
  follow(members: Members): void {
    if (this.#following.disposed) return
    const { file, clock, log } = this.#options
    const kept = this.#following.use(
      new GatheredFile({
        file,
        text: () => this.#format(members),
        written: this.#read,
        failure: 'cannot keep what other nodes said last',
        clock,
        log,
      }),
    )
    this.#following.use(
      members.subscribe((member, before) => {
        if (isNews(member, before)) kept.writeSoon()
      }),
    )
    kept.writeSoon()
  }

  /** Write what is not written yet. */
  [Symbol.dispose](): void {
    this.#following.dispose()
  }

  #format(members: Members): string {
    const chains = new Map<string, readonly string[]>()
    const words: Update[] = []
    for (const source of this.#choose(members)) {
      for (const [part, update] of members.updatesOf(source)) {
        // What a node that is there says of its fridge is old before it is written.
        if (part !== 'profile' && members.isLive(source)) continue
        const { certificate } = update[0] as PartValue
        const signer = this.#options.signers.get(certificate)
        if (signer === undefined) continue
        chains.set(certificate, signer.chain)
        words.push(update)
      }
    }
    return JSON.stringify({ certificates: [...chains.values()], words })
  }

  /** The latest run of each other node, those that are absent first. */
  #choose(members: Members): Source[] {
    const { isRemoved } = this.#options
    const latest = new Map<Name, Member>()
    for (const member of members.list()) {
      const { name, startedAt } = member
      if (name === members.self.name || isRemoved(name)) continue
      if (startedAt >= (latest.get(name)?.startedAt ?? 0)) latest.set(name, member)
    }
    const sources = Array.from(latest.values(), ({ source }) => source)
    const [there, absent] = [true, false].map(is =>
      sources.filter(one => members.isLive(one) === is),
    )
    return [...(absent ?? []), ...(there ?? [])].slice(0, MAX_KEPT)
  }
}

/** Whether a node is new, has left, or may be out of reach by now; told in one breath of this node itself. */
function isNews(member: Member, before: Member | undefined): boolean {
  return member === before || before === undefined || member.left !== before.left
}

/** As they lie in the file. */
interface KeptWords {
  /** The certificates that the words are signed with, each with its intermediates. */
  readonly certificates: readonly unknown[]
  readonly words: Update[]
}

/** @throws when it is none of ours */
function readKept(text: string): KeptWords {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new TypeError('it holds no words')
  const { certificates, words } = value as Record<string, unknown>
  if (!Array.isArray(certificates) || !Array.isArray(words))
    throw new TypeError('it holds no words')
  const read = (words as unknown[]).map(one => (Array.isArray(one) ? asUpdate(one) : undefined))
  return { certificates, words: read.filter(update => update !== undefined) }
}
