import { displaySubject, nameOf, roleOf } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { shellWord } from '../lib/shell-word.ts'
import type { Change } from '../whitelist/change.ts'
import { lostChangeOf, readLostChange, type LostChange } from '../whitelist/lost-change.ts'

/** Where a node keeps what it gave up, beside its database. */
export const LOST_FILE = 'lost.json'

/** Lost changes that are kept; of more the oldest go, and stand in the log alone. */
const MAX_KEPT = 256

/** Of the file: the terms of a grant have less than 16 KiB. */
const MAX_BYTES = MAX_KEPT * 16_384

/** A file that is replaced as a whole. */
export interface LostFile {
  read(maxBytes: number): string | undefined
  replace(text: string): void
}

export interface LostChangesOptions {
  /** Keeps them for later runs: until somebody asks for them again. */
  readonly file: LostFile
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

interface Kept {
  readonly lost: LostChange
  /** When it was given up, in milliseconds since 1970. */
  readonly lostAt: number
}

/** What a node had accepted and gave up, until somebody has decided anew about its subject. */
export class LostChanges {
  readonly #options: LostChangesOptions
  #kept: readonly Kept[]

  constructor(options: LostChangesOptions) {
    this.#options = options
    this.#kept = this.#recall()
  }

  /** Those that are still to be asked for, the oldest first. A grant that has ended is not. */
  get all(): LostChange[] {
    const now = this.#options.clock.now()
    return this.#kept.map(({ lost }) => lost).filter(({ expiresAt = Infinity }) => expiresAt > now)
  }

  /** Changes were given up. */
  note(changes: readonly Change[]): void {
    if (changes.length === 0) return
    const { clock, log } = this.#options
    const lostAt = clock.now()
    const fresh = changes.map(change => ({ lost: lostChangeOf(change), lostAt }))
    this.#keep([...this.#kept, ...fresh].slice(-MAX_KEPT))
    for (const { lost } of fresh) {
      const { subject, kind, operator } = lost
      log.error(
        { subject, kind, operator, fix: commandOf(lost, lostAt) },
        'a change that was accepted here is lost, because this node was resumed from an earlier state or runs twice: ask for it again',
      )
    }
  }

  /** A change is in the list: what it does, or was made in sight of the loss, is asked for no more. */
  applied({ kind, subject, at }: Change): void {
    if (this.#kept.length === 0) return
    const left = this.#kept.filter(({ lost, lostAt }) => {
      if (lost.subject !== subject) return true
      return at <= lostAt && (kind !== lost.kind || at < lost.at)
    })
    if (left.length < this.#kept.length) this.#keep(left)
  }

  #keep(kept: readonly Kept[]): void {
    this.#kept = kept
    const { file, log } = this.#options
    try {
      file.replace(JSON.stringify(kept))
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, `cannot write ${LOST_FILE}`)
    }
  }

  #recall(): Kept[] {
    const { file, log } = this.#options
    try {
      const text = file.read(MAX_BYTES)
      return text === undefined ? [] : readKept(JSON.parse(text))
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, `cannot read ${LOST_FILE}`)
      return []
    }
  }
}

/** The command that asks for a lost change again. */
export function commandOf(lost: LostChange, now: number): string {
  const { kind, subject, sensors = [], commands = [], keys = [], expiresAt } = lost
  if (kind === 'checkpoint') return 'fridge whitelist checkpoint'
  const isOrigin = roleOf(subject) === 'origin'
  const group = isOrigin ? 'origin' : 'whitelist'
  const name = shellWord(isOrigin ? nameOf(subject) : displaySubject(subject))
  if (kind === 'revocation') return `fridge ${group} remove ${name}`
  // What may read no sensor at all cannot be typed, and must not become more.
  const isNarrowest = [lost.sensors, lost.commands, lost.keys].some(list => list?.length === 0)
  if (isNarrowest) return `fridge ${group} show ${name}`
  const options = [
    ...sensors.map(sensor => `--sensor ${sensor}`),
    ...commands.map(command => `--command ${command}`),
    ...keys.map(key => `--key ${key}`),
    ...(lost.public === true ? ['--public'] : []),
    ...(lost.views ?? []).map(view => `--view ${view}`),
    ...(expiresAt === undefined ? [] : [`--expires-in ${secondsTo(expiresAt, now)}s`]),
  ]
  return [`fridge ${group} add`, name, ...options].join(' ')
}

function secondsTo(at: number, now: number): number {
  return Math.max(1, Math.ceil((at - now) / 1_000))
}

/** @throws TypeError when it is none of ours */
function readKept(value: unknown): Kept[] {
  if (!Array.isArray(value)) throw new TypeError('it holds no list')
  return value.slice(-MAX_KEPT).map((item: unknown) => {
    const { lost, lostAt } = (item ?? {}) as Readonly<Record<string, unknown>>
    const read = readLostChange(lost)
    if (read === undefined || !Number.isSafeInteger(lostAt)) {
      throw new TypeError('it holds what is no lost change')
    }
    return { lost: read, lostAt: lostAt as number }
  })
}
