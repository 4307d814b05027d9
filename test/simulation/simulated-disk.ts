import { FridgeError } from '../../node/lib/errors.ts'
import type { Source } from '../../node/identity/names.ts'
import { isStray, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import { MemoryStore } from '../support/memory-store.ts'
import type { ChangeStore } from '../../node/whitelist/store.ts'

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

  takeBack(source: Source, from: number): void {
    this.#log = this.#log.filter(
      one => isStray(one) || one.change.source !== source || one.change.sequence < from,
    )
  }

  writeCertificate(fingerprint: string, chain: readonly string[]): void {
    this.#certificates.set(fingerprint, chain)
  }
}

/** The store as one run of the node has it open. */
class Handle extends MemoryStore {
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

  override [Symbol.dispose](): void {
    this.isOpen = false
  }

  #assertWritable(): void {
    if (!this.isOpen) throw new FridgeError('ERR_DATABASE', 'the node has died')
    if (this.#disk.isFull) throw new FridgeError('ERR_DATABASE', 'the disk is full')
  }
}
