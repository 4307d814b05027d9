import { createHash, createHmac, hkdfSync, type Hash, type KeyObject } from 'node:crypto'

/** What of a row the seal covers; the hash covers the text. */
export interface SealedRow {
  readonly hash: string
  readonly repeats: boolean
  readonly isStray: boolean
}

/** The key of the seals of a node: only who has its private key can make them. */
export function sealKeyOf(privateKey: KeyObject): Buffer {
  const der = privateKey.export({ type: 'pkcs8', format: 'der' })
  return Buffer.from(hkdfSync('sha256', der, '', 'fridge seal of the log', 32))
}

/**
 * The seal of a node over its whole log, in the order in which it took it, and over the certificates
 * of its signers: what was checked once need not be checked at each start, and a row that somebody
 * else has written is found.
 */
export class LogSeal {
  #rows: Hash
  readonly #certificates: Map<string, string>
  readonly #base: string

  /** @param base what is said of where the log begins; empty where all of it is there */
  constructor(base = '', rows = createHash('sha256'), certificates = new Map<string, string>()) {
    this.#base = base
    this.#rows = rows
    this.#certificates = certificates
  }

  /** What is added to a copy changes nothing here. */
  copy(): LogSeal {
    return new LogSeal(this.#base, this.#rows.copy(), new Map(this.#certificates))
  }

  /** The seal over the certificates here and other rows. @param base what is said of where these begin */
  over(rows: LogSeal, base: string | undefined): LogSeal {
    return new LogSeal(base, rows.#rows.copy(), new Map(this.#certificates))
  }

  add({ hash, repeats, isStray }: SealedRow): void {
    this.addLines(`${hash} ${Number(repeats)} ${Number(isStray)}\n`)
  }

  /** @param lines of rows as `add` writes them: many at once take a fifth of the time */
  addLines(lines: string): void {
    this.#rows.update(lines)
  }

  /** @param digest over its chain */
  setCertificate(fingerprint: string, digest: string): void {
    this.#certificates.set(fingerprint, digest)
  }

  value(key: Buffer): string {
    const certificates = Array.from(this.#certificates, pair => pair.join(' ')).sort()
    return createHmac('sha256', key)
      .update(this.#rows.copy().digest())
      .update(certificates.join('\n'))
      .update(this.#base)
      .digest('base64url')
  }
}
