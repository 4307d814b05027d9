import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { FridgeError } from '../lib/errors.ts'
import { pragma } from '../lib/sqlite.ts'
import type { Place } from '../whitelist/change.ts'
import type { Base } from '../whitelist/store.ts'
import {
  ArchiveWriter,
  attachArchives,
  BASE,
  baseOfNote,
  MAX_ARCHIVES,
  parseBaseNote,
  type ArchiveNote,
  type BaseNote,
} from './archives.ts'
import { writeFailure } from './sqlite-database.ts'
import type { StoreDatabase } from './store-database.ts'

/** Rows taken out of the log in one transaction. */
const AT_ONCE = 1_000

/** Where it stands that rows are still to be taken out. */
const TAKING_OUT = 'taking out'

/**
 * The part of a log that has left it for archives. A row is copied before it is taken out: whenever
 * the process dies it is in one of both, or in both, and the next start takes it out.
 */
export class StoredArchives {
  readonly #store: StoreDatabase
  readonly #database: DatabaseSync
  /** Whether there may be rows in the log that are in the newest archive as well. */
  #isTakingOut: boolean
  /** Up to where these were taken out. */
  #taken = 0
  #noted: BaseNote | undefined
  #missing: readonly ArchiveNote[] = []
  #writer: ArchiveWriter | undefined

  constructor(store: StoreDatabase, database: DatabaseSync) {
    this.#store = store
    this.#database = database
    this.#noted = parseBaseNote(store.noted(BASE))
    this.#attach()
    this.#isTakingOut = store.noted(TAKING_OUT) === 'yes' && this.#missing.length === 0
    this.takeOut(Infinity)
    this.#giveBack()
  }

  /** Where the log begins. */
  base(): Base | undefined {
    return this.#noted && baseOfNote(this.#noted)
  }

  /** Whether all can be read that the checkpoint covers at which the log begins. */
  get isComplete(): boolean {
    return this.#missing.length === 0 && this.#absent === 0
  }

  get #absent(): number {
    return this.#noted?.absent ?? 0
  }

  /** The archives that are not beside the database, or are others. */
  get missing(): readonly string[] {
    return this.#missing.map(({ name }) => name)
  }

  /** Why what is not here is not told. */
  notHere(): FridgeError {
    const [missing] = this.missing
    if (missing === undefined) {
      const why = 'its list begins at a checkpoint: what changed before that it never held'
      const fix = 'let the other node dial one that holds the whole log: name that with --peer'
      return new FridgeError('ERR_ARCHIVE', why, { fix })
    }
    return new FridgeError(
      'ERR_ARCHIVE',
      `the changes behind its checkpoint are in ${this.missing.join(', ')}, which is not there`,
      { fix: `put it back into ${dirname(this.#store.file)} and restart the node` },
    )
  }

  /** Copy the entries at some places into a new archive. @throws FridgeError `ERR_DATABASE` */
  copy(places: readonly Place[]): void {
    this.#write(() => {
      this.#writer ??= this.#begin()
      this.#writer.copy(places)
    })
  }

  /**
   * Let the log begin at a checkpoint: what was copied belongs to it no more.
   * @param note does what depends on it in the same transaction
   * @throws FridgeError `ERR_DATABASE`: then nothing has changed
   */
  begin(base: Omit<Base, 'archived'>, note: (write: () => void) => void): void {
    const writer = this.#writer
    this.#writer = undefined
    const before = this.#noted?.archives ?? []
    const added = writer === undefined ? [] : [this.#write(() => writer.finish())]
    const archives = [...before, ...added]
    const noted: BaseNote = { ...hashesOf(base), archives, absent: this.#absent }
    this.takeOut(Infinity)
    this.#attach(noted)
    const [wasNoted, wasTaken] = [this.#noted, this.#taken]
    this.#noted = noted
    this.#taken = 0
    this.#isTakingOut = added.length > 0
    try {
      note(() => {
        this.#store.note(BASE, JSON.stringify(noted))
        if (added.length > 0) this.#store.note(TAKING_OUT, 'yes')
      })
    } catch (error) {
      this.#noted = wasNoted
      this.#taken = wasTaken
      this.#isTakingOut = false
      this.#attach()
      throw error
    }
  }

  /**
   * Let an empty log begin at a checkpoint of which a peer has brought what is left.
   * @param note writes that in the same transaction
   * @throws FridgeError `ERR_DATABASE`: then nothing has changed
   */
  beginWithout({ archived, ...base }: Base, note: (write: () => void) => void): void {
    const noted: BaseNote = { ...hashesOf(base), archives: [], absent: archived }
    note(() => this.#store.note(BASE, JSON.stringify(noted)))
    this.#noted = noted
  }

  /** Leave nothing of an archive that was begun. */
  abandon(): void {
    this.#writer?.abandon()
    this.#writer = undefined
  }

  /** Take the next rows out of the log that are in an archive as well. @returns whether those were the last */
  takeOut(limit = AT_ONCE): boolean {
    if (!this.#isTakingOut) return true
    const archive = `archive${this.#noted?.archives.length ?? 0}.changes`
    const next = `SELECT position FROM ${archive} WHERE position > ? ORDER BY position LIMIT ?`
    const page = this.#database
      .prepare(`SELECT max(position) AS last, count(*) AS rows FROM (${next})`)
      .get(this.#taken, Math.min(limit, Number.MAX_SAFE_INTEGER))
    const last = Number(page?.['last'] ?? this.#taken)
    const isLast = Number(page?.['rows']) < limit
    this.#store.transact(() => {
      this.#database
        .prepare(
          `DELETE FROM main.changes
           WHERE position IN (SELECT position FROM ${archive} WHERE position > ? AND position <= ?)`,
        )
        .run(this.#taken, last)
      if (isLast) this.#store.note(TAKING_OUT, 'no')
    })
    this.#taken = last
    this.#isTakingOut = !isLast
    return isLast
  }

  /** Whether rows are being taken out of the log, which are in it and in an archive. */
  get isTakingOut(): boolean {
    return this.#isTakingOut
  }

  /** What is in the log and in no archive, as a table. */
  get left(): string {
    if (!this.#isTakingOut) return 'main.changes'
    const archive = `archive${this.#noted?.archives.length ?? 0}.changes`
    return `(SELECT * FROM main.changes WHERE position NOT IN (SELECT position FROM ${archive}))`
  }

  #begin(): ArchiveWriter {
    const number = (this.#noted?.archives.length ?? 0) + 1
    if (number > MAX_ARCHIVES) {
      throw new FridgeError('ERR_LIMIT', `there are ${MAX_ARCHIVES} archives beside the database`)
    }
    return new ArchiveWriter(this.#database, this.#store.file, `archive-${number}.db`)
  }

  /** Give the disk back what was taken out, if that is the most of the file. */
  #giveBack(): void {
    const [free, all] = ['freelist_count', 'page_count'].map(name =>
      Number(pragma(this.#database, name)),
    )
    if (this.#noted === undefined || 2 * (free ?? 0) < (all ?? 0)) return
    try {
      this.#database.exec('VACUUM main')
    } catch {
      // It takes as much space again while it lasts: without that the file stays as large as it is.
    }
  }

  #attach(noted = this.#noted): void {
    this.#missing = attachArchives(this.#database, this.#store.file, noted?.archives ?? [])
  }

  #write<T>(write: () => T): T {
    try {
      return write()
    } catch (error) {
      this.abandon()
      throw error instanceof FridgeError ? error : writeFailure(this.#store.file, error)
    }
  }
}

function hashesOf(base: Omit<Base, 'archived'>): Omit<BaseNote, 'archives'> {
  const { checkpoint, spent, strays, true: held } = base
  return { checkpoint, spent: [...spent], strays: [...strays], true: [...held] }
}
