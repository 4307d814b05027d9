import { FridgeError } from '../../node/lib/errors.ts'
import type { Source } from '../../node/identity/names.ts'
import type { Entry, Stray } from '../../node/whitelist/entry.ts'
import { MemoryStore } from '../support/memory-store.ts'
import type { ChangeStore, LoggedChange } from '../../node/whitelist/store.ts'

/** What a disk held at some moment. */
export interface Backup {
  readonly log: readonly (Entry | Stray)[]
  readonly certificates: ReadonlyMap<string, readonly string[]>
}

/** What outlives the runs of one node. */
export class SimulatedDisk {
  #log: (Entry | Stray)[] = []
  #certificates = new Map<string, readonly string[]>()
  #open: Handle | undefined
  /** While true nothing more can be written. */
  isFull = false

  /** Open the store. The one that was open before is dead: nothing that it writes arrives. */
  open(): ChangeStore {
    if (this.#open !== undefined) this.#open.isOpen = false
    this.#open = new Handle(this)
    return this.#open
  }

  backup(): Backup {
    return { log: [...this.#log], certificates: new Map(this.#certificates) }
  }

  restore({ log, certificates }: Backup): void {
    this.#log = [...log]
    this.#certificates = new Map(certificates)
  }

  get log(): readonly (Entry | Stray)[] {
    return this.#log
  }

  write(entries: readonly (Entry | Stray)[]): void {
    this.#log.push(...entries)
  }

  writeCertificate(fingerprint: string, chain: readonly string[]): void {
    this.#certificates.set(fingerprint, chain)
  }
}

/** The store as one run of the node has it open. */
class Handle implements ChangeStore {
  readonly #disk: SimulatedDisk
  readonly #store = new MemoryStore()
  isOpen = true

  constructor(disk: SimulatedDisk) {
    this.#disk = disk
    const { log, certificates } = disk.backup()
    this.#store.append(log)
    for (const [fingerprint, chain] of certificates) this.#store.keepCertificate(fingerprint, chain)
  }

  append(entries: readonly (Entry | Stray)[]): void {
    this.#assertWritable()
    // First where a place that is taken refuses it.
    this.#store.append(entries)
    this.#disk.write(entries)
  }

  logged(): Iterable<LoggedChange | Stray> {
    return this.#store.logged()
  }

  after(clock: ReadonlyMap<Source, number>): Iterable<Entry | Stray> {
    return this.#store.after(clock)
  }

  ofSource(source: Source, from: number): Iterable<Entry> {
    return this.#store.ofSource(source, from)
  }

  certificates(): Iterable<readonly string[]> {
    return this.#store.certificates()
  }

  keepCertificate(fingerprint: string, chain: readonly string[]): void {
    this.#assertWritable()
    this.#disk.writeCertificate(fingerprint, chain)
    this.#store.keepCertificate(fingerprint, chain)
  }

  [Symbol.dispose](): void {
    this.isOpen = false
  }

  #assertWritable(): void {
    if (!this.isOpen) throw new FridgeError('ERR_DATABASE', 'the node has died')
    if (this.#disk.isFull) throw new FridgeError('ERR_DATABASE', 'the disk is full')
  }
}
