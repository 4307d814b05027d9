import { crc32 } from 'node:zlib'
import { Dice } from './dice.ts'

/** What became of one input. */
export interface Outcome {
  /** Whether the layer refused it, and so cut its sender. */
  readonly refused: boolean
  /** What was promised and did not hold. */
  readonly problem?: string | undefined
}

/** A layer under fuzz: real code, fed by a peer that says whatever it likes. */
export interface Target {
  readonly name: string
  /** The longest line that it takes, in bytes. */
  readonly maxLineBytes: number
  /** A session that is right but for what chance makes of it: what random changes seldom reach. */
  readonly generate: (dice: Dice) => string
  /** Let a peer say `bytes` on a fresh connection. The same bytes give the same run. */
  readonly run: (bytes: Buffer) => Promise<Outcome>
  /** How many inputs find each planted bug. */
  readonly fixedInputs: number
}

/** Bytes in pieces, cut anywhere; the bytes themselves decide where. */
export function chunksOf(bytes: Buffer): Buffer[] {
  const dice = new Dice(crc32(bytes))
  const chunks: Buffer[] = []
  const pieces = dice.pick([1, 1, 2, 3, 8, bytes.length < 1_024 ? bytes.length : 1])
  let start = 0
  for (let left = pieces; left > 1 && start < bytes.length; left -= 1) {
    const isSmall = pieces === bytes.length || dice.oneIn(3)
    const end = start + 1 + (isSmall ? dice.below(2) : dice.below(bytes.length - start))
    chunks.push(bytes.subarray(start, end))
    start = end
  }
  if (start < bytes.length) chunks.push(bytes.subarray(start))
  return chunks
}
