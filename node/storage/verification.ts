/** One thing in a database that is not as a node wrote it. */
export interface Finding {
  /** Where: the file, a position in the log with the change that is filed there, a certificate. */
  readonly place: string
  readonly problem: string
  /** What mends it. */
  readonly fix: string
}

export interface Verification {
  readonly changes: number
  readonly sources: number
  /** Nodes and operators whose certificates are kept and trusted. */
  readonly signers: number
  /** How many names the list lets in, expired grants included. */
  readonly admitted: number
  /** How many checkpoints there are. */
  readonly checkpoints: number
  /** How many of them state a list that was not, so that they do nothing. */
  readonly untrue: number
  /** Where the log begins, if the older part of it was never here. */
  readonly begins?: Beginning
  /** In the order in which they were met; none when the database is sound. */
  readonly findings: readonly Finding[]
}

/** The checkpoint at which a log begins whose older part was never here. */
export interface Beginning {
  /** When it was signed, in milliseconds since 1970. */
  readonly at: number
  readonly operator: string
  /** How many changes that it covers are not here. */
  readonly absent: number
}
