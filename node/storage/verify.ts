import type { X509Certificate } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { pragma } from '../lib/sqlite.ts'
import type { Source } from '../identity/names.ts'
import { openAtRest } from './at-rest.ts'
import { buildWhitelist, proves } from '../whitelist/build.ts'
import { idOf, readChange, type Change } from '../whitelist/change.ts'
import { OpenedLog } from '../whitelist/opened-log.ts'
import { conflicts, entryHash, isStray, type Entry, type Stray } from '../whitelist/entry.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'
import { differences, evaluateLog } from '../whitelist/evaluate.ts'
import type { Base } from '../whitelist/store.ts'
import { judgeCheckpoints } from '../whitelist/stated-list.ts'
import { Signers } from '../identity/signers.ts'
import type { Verifier } from '../identity/verifier.ts'
import {
  APPLICATION_ID,
  corrupt,
  hasKnownSchema,
  otherVersion,
  SCHEMA_VERSION,
} from './sqlite-database.ts'
import {
  attachArchives,
  baseOfNote,
  digestOfArchive,
  parseBaseNote,
  readBaseNote,
  WHOLE_LOG,
} from './archives.ts'
import { digestOf, sealOf, uncheckedOf, type ChangeRow } from './change-row.ts'
import { checkBase } from './check-base.ts'
import { holdsBeginning } from './stored-beginning.ts'
import type { Beginning, Finding, Verification } from './verification.ts'
import { openAt } from '../whitelist/open.ts'

export interface VerifyOptions {
  /** The authorities that may vouch for a signer, former authorities included. */
  readonly authorities: readonly X509Certificate[]
  /** Those of them that are trusted now. Default: all. */
  readonly trusted?: readonly X509Certificate[]
  readonly trustDomain: string | undefined
  /** What checks the signatures. Default: the thread that asks. */
  readonly verifier?: Verifier
  /** What to do with a database that is damaged. Default: have it rebuilt by the peers. */
  readonly fix?: string
}

interface Row extends ChangeRow {
  readonly position: number
  readonly isArchived: 0 | 1
}

/** Rows whose signatures are checked at a time. */
const BATCH = 256

/**
 * Check all of a database that no node is using, without changing it: the file, each entry's
 * text, link, seal and place, both signatures by certificates that lead to an authority (those
 * that have expired since included), and the list. The list is not stored: a node builds it from
 * the log at each start. It is built here the same way, and compared with the definition.
 *
 * What cannot be seen: that the newest changes were cut off, as an older copy of the file would
 * look the same. The next exchange with a peer brings them back; `fridge status` shows how many
 * each node holds. The order of changes of different sources is not signed either; it means
 * nothing beyond what grants and revocations have seen, which is checked.
 * @throws FridgeError `ERR_USAGE`, `ERR_REFUSED` while a node is running on it, `ERR_DATABASE`
 */
export async function verifyDatabase(file: string, options: VerifyOptions): Promise<Verification> {
  const check = new DatabaseCheck(file, options)
  try {
    using atRest = openAtRest(file)
    await check.run(atRest.database)
  } catch (error) {
    if (error instanceof FridgeError && error.code !== 'ERR_DATABASE_CORRUPT') throw error
    check.find('the file', `it cannot be read: ${errorMessage(error)}`)
  }
  return check.result()
}

class DatabaseCheck {
  readonly #findings: Finding[] = []
  readonly #signers: Signers
  readonly #file: string
  readonly #damageFix: string
  #trusted = 0
  #admitted = 0
  #checkpoints = 0
  #untrue = 0
  /** How far each source was heard up to the present row, and the hash that the next links to. */
  readonly #heads = new Map<string, { sequence: number; hash: string }>()
  /** The ids of the changes up to the present row, by subject. */
  readonly #ids = new Map<string, Set<string>>()
  /** The hashes of the entries up to the present row. */
  readonly #hashes = new Set<string>()
  #rows = 0
  #position = 0
  #base: Base | undefined
  /** How many changes were never here that the checkpoint covers at which the log begins. */
  #absent = 0
  #begins: Beginning | undefined
  /** Whether there are holes: by a missing archive, or where the log begins at a checkpoint. */
  #isPartial = false

  constructor(file: string, { authorities, trusted, trustDomain, verifier, fix }: VerifyOptions) {
    this.#file = file
    this.#damageFix = fix ?? corrupt(file, '').fix ?? ''
    this.#signers = new Signers({
      // Nothing is trusted because it is there: each certificate is traced to an authority.
      store: { certificates: () => [], keepCertificate: () => {} },
      authorities: () => authorities,
      ...(trusted && { trusted: () => trusted }),
      trustDomain,
      ...(verifier && { verifier }),
    })
  }

  find(place: string, problem: string, fix = this.#damageFix): void {
    this.#findings.push({ place, problem, fix })
  }

  result(): Verification {
    return {
      changes: this.#rows,
      sources: this.#heads.size,
      signers: this.#trusted,
      admitted: this.#admitted,
      checkpoints: this.#checkpoints,
      untrue: this.#untrue,
      ...(this.#begins && { begins: this.#begins }),
      findings: this.#findings,
    }
  }

  async run(database: DatabaseSync): Promise<void> {
    if (!this.#checkFile(database)) return
    this.#checkCertificates(database)
    const opened: (Entry | Stray)[] = []
    let batch: Row[] = []
    const flush = async (): Promise<void> => {
      const checked = await Promise.all(batch.map(async row => this.#open(row)))
      opened.push(...checked.filter(one => one !== undefined))
      batch = []
    }
    if (holdsBeginning(database)) {
      const problem =
        'the node was stopped while it took the list in from a peer: none of it counts'
      return this.find('the log', problem, 'start the node: it asks its peers for the list anew')
    }
    this.#checkArchives(database)
    const left = new Set<string>()
    for (const value of database
      .prepare(`SELECT * FROM ${WHOLE_LOG} ORDER BY position`)
      .iterate()) {
      // The schema is ours and STRICT, so that each column has the type that it declares.
      const row = value as unknown as Row
      // What was still to be taken out of the log is in an archive as well.
      if (row.position === this.#position) continue
      if (row.isArchived === 0) left.add(row.hash)
      if (this.#checkRow(row)) batch.push(row)
      if (batch.length >= BATCH) await flush()
    }
    await flush()
    this.#checkStrays(opened)
    this.#checkList(opened, left)
  }

  /** @returns whether the tables can be read */
  #checkFile(database: DatabaseSync): boolean {
    if (pragma(database, 'application_id') !== APPLICATION_ID) {
      this.find('the file', 'it is not a fridge database')
      return false
    }
    const version = pragma(database, 'user_version')
    if (version !== SCHEMA_VERSION) {
      throw otherVersion(this.#file, version)
    }
    for (const row of database.prepare('PRAGMA integrity_check(100)').all()) {
      if (row['integrity_check'] !== 'ok') this.find('the file', String(row['integrity_check']))
    }
    if (hasKnownSchema(database)) return true
    this.find('the file', 'its tables are not those of fridge')
    return false
  }

  #checkCertificates(database: DatabaseSync): void {
    const rows = database.prepare('SELECT fingerprint, chain, seal FROM certificates').all()
    for (const { fingerprint, chain, seal } of rows) {
      const place = `certificate ${String(fingerprint)}`
      const signer = this.#signers.learn(String(chain).split(' '))
      if (digestOf([String(fingerprint), String(chain)]) !== seal)
        this.find(place, 'it was altered')
      else if (typeof signer === 'string') {
        this.find(
          place,
          signer,
          `if you know its authority, add that to ca/certificate.pem; if not, somebody has put it there: ${this.#damageFix}`,
        )
      } else if (signer.identity.fingerprint !== fingerprint) {
        this.find(
          place,
          `it is that of ${signer.identity.subject}, filed under another fingerprint`,
        )
      } else this.#trusted += 1
    }
  }

  /** What shows without a signature. @returns whether the signatures are worth a look */
  #checkRow(row: Row): boolean {
    const { position, source, sequence, text, hash, stray } = row
    const place = placeOfRow(row)
    this.#rows += 1
    if (position !== this.#position + 1 && !this.#isPartial) {
      this.find(place, missing('position', this.#position + 1, position - 1))
    }
    this.#position = position
    const change = readChange(text)
    const head = this.#heads.get(source)
    const expected = (head?.sequence ?? 0) + 1
    this.#heads.set(source, { sequence, hash })
    const isLinked = typeof change === 'string' || change.previous === (head?.hash ?? '')
    if (stray === null && sequence > expected && this.#isPartial) {
      // It may be in what is missing.
    } else if (stray === null && sequence > expected) {
      this.find(place, missing('change', expected, sequence - 1))
    } else if (stray === null && sequence < expected) {
      this.find(place, 'it stands behind a later change of its source')
    } else if (stray === null && !isLinked) {
      this.find(place, 'it does not link to the change before it')
    }
    const ids = this.#ids.get(row.subject) ?? new Set()
    const isKnown = ids.has(row.id)
    this.#ids.set(row.subject, ids.add(row.id))
    this.#hashes.add(hash)
    if (entryHash(text, row) !== hash) {
      this.find(place, 'its text was altered, or which certificates it names: it has another hash')
    } else if (sealOf(row) !== row.seal) {
      this.find(place, 'its signatures were altered: the seal of the row is broken')
    } else {
      if (typeof change !== 'string') this.#checkContent(row, change, isKnown)
      return true
    }
    return false
  }

  /** What a row says of its change beside the text, and what that has seen. */
  #checkContent(row: Row, change: Change, isKnown: boolean): void {
    const place = placeOfRow(row)
    const { hash, subject, id, repeats } = row
    if (idOf({ change, hash }) !== id || change.subject !== subject) {
      this.find(place, 'it is filed under another name than that of its change')
    } else if (isKnown !== (repeats === 1) && !this.#isPartial) {
      this.find(place, 'it is filed as a repetition, or as none, against what stands before it')
    }
    if (this.#isPartial) return
    for (const one of change.seen) {
      if (this.#ids.get(change.subject)?.has(one) === true) continue
      this.find(place, `the change ${one}, which it has seen, is missing`)
    }
    if (change.kind === 'grant') return
    const named = change.kind === 'checkpoint' ? change.heads : (change.upTo ?? [])
    const what = change.kind === 'checkpoint' ? 'which it has seen' : 'up to which it counts'
    for (const [other, last] of named) {
      if (this.#hashes.has(last.hash)) continue
      this.find(place, `change ${last.sequence} of ${other}, ${what}, is missing`)
    }
  }

  /** @returns the entry or stray if all of it holds */
  async #open(row: Row): Promise<Entry | Stray | undefined> {
    const opened = await this.#openRow(row)
    if (typeof opened !== 'string') return opened
    this.find(placeOfRow(row), opened)
    return undefined
  }

  async #openRow(row: Row): Promise<Entry | Stray | string> {
    const unchecked = uncheckedOf(row)
    if (typeof unchecked === 'string') return unchecked
    const place = { source: row.source as Source, sequence: row.sequence }
    return this.#unknownSigner(row) ?? openAt(place, unchecked, this.#signers)
  }

  #unknownSigner({ operatorCertificate, nodeCertificate }: Row): string | undefined {
    if (this.#signers.get(operatorCertificate) === undefined) {
      return `the certificate of its operator, ${operatorCertificate}, is missing or not trusted`
    }
    if (this.#signers.get(nodeCertificate) === undefined) {
      return `the certificate of its node, ${nodeCertificate}, is missing or not trusted`
    }
    return undefined
  }

  /** No entry is called a stray without proof that its node has signed two entries at one place. */
  #checkStrays(opened: readonly (Entry | Stray)[]): void {
    const strays = opened.filter(isStray)
    const proofs = strays.filter(
      ({ entry, against }) => against !== undefined && conflicts(entry, against),
    )
    for (const stray of strays) {
      const { source, sequence } = stray.entry.change
      if (proofs.some(proof => proves(proof, stray))) continue
      this.find(`stray of change ${sequence} of ${source}`, 'nothing proves that its node forked')
    }
  }

  /** What was moved to archives is what the database says, and nothing else. */
  #checkArchives(database: DatabaseSync): void {
    const note = parseBaseNote(readBaseNote(database))
    this.#base = note && baseOfNote(note)
    const archives = note?.archives ?? []
    const missing = attachArchives(database, this.#file, archives)
    this.#absent = note?.absent ?? 0
    this.#isPartial = missing.length > 0 || this.#absent > 0
    for (const { name } of missing) {
      this.find(name, 'it is not beside the database, or is another one', `put ${name} back`)
    }
    for (const [index, { name, digest }] of archives.entries()) {
      if (missing.some(one => one.name === name)) continue
      if (digestOfArchive(database, `archive${index + 1}`) === digest) continue
      this.find(name, 'it was altered', `put ${name} back as it was`)
    }
  }

  /** What is left of the log is the list that the checkpoint states at which it begins. */
  #checkLeft(opened: readonly (Entry | Stray)[], left: ReadonlySet<string>, base: Base): void {
    const rest = opened.filter(one => left.has(isStray(one) ? one.entry.hash : one.hash))
    const log = new OpenedLog(rest, base)
    try {
      checkBase(this.#file, log, this.#signers)
      if (this.#absent > 0) this.#lookAtBeginning(log, base)
    } catch (error) {
      if (!(error instanceof FridgeError)) throw error
      this.find('the checkpoint at which the log begins', error.message)
    }
  }

  #lookAtBeginning(log: OpenedLog, { checkpoint }: Base): void {
    const list = buildWhitelist(log, this.#signers)
    const change = list.cutOf(checkpoint)?.entry.change
    if (change === undefined) return
    this.#begins = { at: change.at, operator: change.operator, absent: this.#absent }
    this.#admitted = admittedBy(list)
  }

  #checkList(opened: readonly (Entry | Stray)[], left: ReadonlySet<string>): void {
    if (this.#base !== undefined) this.#checkLeft(opened, left, this.#base)
    if (this.#isPartial) return
    const list = buildWhitelist(new OpenedLog(opened), this.#signers)
    for (const step of judgeCheckpoints(list)) {
      if (step === undefined) continue
      this.#checkpoints += 1
      if (!step.isTrue) this.#untrue += 1
    }
    list.settleSome(Infinity)
    for (const subject of differences(list, evaluateLog(opened, this.#signers))) {
      this.find(
        subject,
        'the list that a node builds from this log is not what the log says',
        'this is a fault of fridge: report it with a copy of the database',
      )
    }
    this.#admitted = admittedBy(list)
  }
}

function admittedBy(list: Pick<Whitelist, 'subjects'>): number {
  return [...list.subjects()].filter(([, { grants }]) => grants.length > 0).length
}

function placeOfRow({ position, source, sequence }: Row): string {
  return `position ${position}, change ${sequence} of ${source}`
}

function missing(noun: string, from: number, to: number): string {
  return from === to
    ? `${noun} ${from} is missing before it`
    : `${noun}s ${from} to ${to} are missing before it`
}
