import { denseText } from '../../../node/gossip/dense-text.ts'
import { packedText } from '../../support/packed-frames.ts'
import type { Dice } from '../dice.ts'

const SYNC = JSON.stringify('SYNC')

/** How many frames are packed into one at most. */
const MOST = 4

/** How many times as long as the frame what it holds may be. */
const MAX_EXPANSION = 16

/** A piece that refers to what was never named. */
const PIECE = Buffer.from([8, 0x7f])

/** Pack some of the frames of a stream that follow on each other; all else stays as it is. */
export function packSome(dice: Dice, frames: readonly string[], isHonest: boolean): string[] {
  const sync = frames.indexOf(SYNC)
  if (!isHonest && sync !== -1 && dice.oneIn(4)) return packedUpTo(sync, frames)
  const at = dice.below(frames.length)
  const run = frames.slice(at, at + 1 + dice.below(MOST))
  const end = run.indexOf(SYNC)
  const held = isHonest && end !== -1 ? run.slice(0, end) : run
  if (held.length === 0) return [...frames]
  const packed = isHonest ? honestlyPacked(dice, `[${held.join()}]`) : falselyPacked(dice, held)
  return [...frames.slice(0, at), packed, ...frames.slice(at + held.length)]
}

/** All of it is right, but that SYNC may not be packed. */
function packedUpTo(sync: number, frames: readonly string[]): string[] {
  return [packedFrame(`[${frames.slice(0, sync + 1).join()}]`), ...frames.slice(sync + 1)]
}

/** With pieces, or without: a text may be packed as it is. */
function honestlyPacked(dice: Dice, json: string): string {
  const { text, bytes } = denseText(json)
  const packed = packedText(text, bytes)
  const isTaken = json.length <= packed.length * MAX_EXPANSION
  return dice.oneIn(4) || !isTaken ? packedFrame(json) : JSON.stringify({ packed })
}

function packedFrame(json: string, more: object = {}): string {
  const packed = packedText(json)
  // What says the same again and again is packed too well to be taken.
  const isTaken = json.length <= packed.length * MAX_EXPANSION
  return isTaken ? JSON.stringify({ packed, ...more }) : json.slice(1, -1)
}

function falselyPacked(dice: Dice, held: readonly string[]): string {
  const json = `[${held.join()}]`
  const text = packedText(json)
  const at = 1 + dice.below(text.length - 1)
  const dense = denseText(json)
  return dice.pick([
    () => packedFrame(`[${[...held, SYNC].join()}]`),
    () => packedFrame(`[${packedFrame(json)}]`),
    () => packedFrame(json, { more: 1 }),
    () => packedFrame(held[0] ?? ''),
    () => packedFrame(json.slice(0, -1)),
    () => JSON.stringify({ packed: `${text.slice(0, at)} ${text.slice(at)}` }),
    () => JSON.stringify({ packed: text.slice(0, at) }),
    () => JSON.stringify({ packed: packedText(dense.text, changed(dice, dense.bytes)) }),
    () => JSON.stringify({ packed: packedText(changed(dice, dense.text), dense.bytes) }),
    () => JSON.stringify({ packed: packedText(dense.text, dense.bytes.subarray(1)) }),
    () => JSON.stringify({ packed: packedText(dense.text, Buffer.concat([dense.bytes, PIECE])) }),
    () => JSON.stringify({ packed: packedText(Buffer.concat([dense.text, PIECE]), dense.bytes) }),
    // Many times as long as itself, and right but for that.
    () => JSON.stringify({ packed: spread(json) }),
  ])()
}

function changed(dice: Dice, bytes: Buffer): Buffer {
  const other = Buffer.from(bytes)
  if (other.length > 0) other[dice.below(other.length)] = dice.below(256)
  return other
}

function spread(json: string): string {
  const blanks = ' '.repeat(64 * json.length + 20_000)
  return packedText(`[${blanks}${json.slice(1)}`)
}
