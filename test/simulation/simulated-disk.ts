import { FridgeError } from '../../node/lib/errors.ts'
import type { WholenessRecord } from '../../node/gossip/wholeness.ts'
import type { Extent } from '../../node/whitelist/extent.ts'
import type { Source } from '../../node/identity/names.ts'
import { isStray, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import { MemoryStore } from '../support/memory-store.ts'
import type { ChangeStore } from '../../node/whitelist/store.ts'

/** What a copy of the database held at some moment. */
export interface Backup {
  readonly log: readonly (Entry | Stray)[]
  readonly certificates: ReadonlyMap<string, readonly string[]>
  readonly extent: Extent
}

/** What the whole disk held: also what belongs to the very file of the database. */
export interface Image extends Backup {
  readonly ownSource: Source | undefined
}

/** A machine with its memory, as it was at some moment. */
export interface Snapshot {
  readonly image: Image
  readonly source: Source
  readonly candidate: Source | undefined
  readonly isInUse: boolean
  readonly isOpen: boolean
}

/** What outlives the runs of one node. */
export class SimulatedDisk {
  #log: (Entry | Stray)[] = []
  #certificates = new Map<string, readonly string[]>()
  #open: Handle | undefined
  /** The source in which the node numbers changes. */
  #ownSource: Source | undefined
  #extent: Extent = 'new'
  /** While true nothing more can be written. */
  isFull = false
  /** How many of the next writes fail, as with a disk that loses some. */
  failures = 0
  /** Whether it cannot be noted that the log is complete, the next time. */
  failsToNote = false

  /** Open the store. The one that was open before is dead: nothing that it writes arrives. */
  open(): SimulatedStore {
    if (this.#open !== undefined) this.#open.isOpen = false
    this.#open = new Handle(this)
    return this.#open
  }

  backup(): Backup {
    const { extent } = this
    return { log: [...this.#log], certificates: new Map(this.#certificates), extent }
  }

  /** Put a copy in the place of the database: another file, which is not the one that was written. */
  restore(backup: Backup): void {
    const extent = backup.extent === 'whole' ? 'behind' : backup.extent
    this.revert({ ...backup, ownSource: undefined, extent })
  }

  image(): Image {
    return { ...this.backup(), ownSource: this.#ownSource }
  }

  /** Put the whole disk back to where it was, or make it a copy of another one. */
  revert({ log, certificates, ownSource, extent }: Image): void {
    this.#log = [...log]
    this.#certificates = new Map(certificates)
    this.#ownSource = ownSource
    this.#extent = extent
  }

  get ownSource(): Source | undefined {
    return this.#ownSource
  }

  writeOwnSource(source: Source | undefined): void {
    this.#ownSource = source
  }

  /** How much of the list the log is. */
  get extent(): Extent {
    return this.#extent
  }

  /** @throws FridgeError `ERR_DATABASE` */
  writeExtent(extent: Extent): void {
    const isWhole = extent === 'whole'
    const fails = isWhole && this.failsToNote
    if (isWhole) this.failsToNote = false
    if (fails) throw new FridgeError('ERR_DATABASE', 'the disk has failed')
    this.#extent = extent
  }

  /** All that comes is written from now on. */
  repair(): void {
    this.isFull = false
    this.failures = 0
    this.failsToNote = false
  }

  /** @throws FridgeError `ERR_DATABASE` when it takes nothing now */
  assertWritable(): void {
    if (this.isFull) throw new FridgeError('ERR_DATABASE', 'the disk is full')
    if (this.failures === 0) return
    this.failures -= 1
    throw new FridgeError('ERR_DATABASE', 'the disk has failed')
  }

  get log(): readonly (Entry | Stray)[] {
    return this.#log
  }

  write(entries: readonly (Entry | Stray)[]): void {
    this.#log.push(...entries)
  }

  takeBack(source: Source, from: number): void {
    this.#log = this.#log.filter(
      one => isStray(one) || one.change.source !== source || one.change.sequence < from,
    )
  }

  writeCertificate(fingerprint: string, chain: readonly string[]): void {
    this.#certificates.set(fingerprint, chain)
  }
}

/** What a node keeps: its log, and what it remembers of it. */
export interface SimulatedStore extends ChangeStore, WholenessRecord {
  keepOwnSource(source: Source | undefined): void
}

/** The store as one run of the node has it open. */
class Handle extends MemoryStore implements SimulatedStore {
  readonly #disk: SimulatedDisk
  isOpen = true

  constructor(disk: SimulatedDisk) {
    super()
    this.#disk = disk
    const { log, certificates } = disk.backup()
    super.append(log)
    for (const [fingerprint, chain] of certificates) super.keepCertificate(fingerprint, chain)
  }

  override append(entries: readonly (Entry | Stray)[]): void {
    this.#assertWritable()
    // First where a place that is taken refuses it.
    super.append(entries)
    this.#disk.write(entries)
  }

  override takeBack(source: Source, from: number): void {
    this.#assertWritable()
    super.takeBack(source, from)
    this.#disk.takeBack(source, from)
  }

  override probe(): void {
    this.#assertWritable()
  }

  override keepCertificate(fingerprint: string, chain: readonly string[]): void {
    this.#assertWritable()
    this.#disk.writeCertificate(fingerprint, chain)
    super.keepCertificate(fingerprint, chain)
  }

  keepOwnSource(source: Source | undefined): void {
    this.#assertWritable()
    this.#disk.writeOwnSource(source)
  }

  extent(): Extent {
    return this.#disk.extent
  }

  noteExtent(extent: Extent): void {
    this.#assertWritable()
    this.#disk.writeExtent(extent)
  }

  override [Symbol.dispose](): void {
    this.isOpen = false
  }

  #assertWritable(): void {
    if (!this.isOpen) throw new FridgeError('ERR_DATABASE', 'the node has died')
    this.#disk.assertWritable()
  }
}
