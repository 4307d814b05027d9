import { deflateRawSync } from 'node:zlib'
import type { Dice } from '../dice.ts'

const SYNC = JSON.stringify('SYNC')

/** How many frames are packed into one at most. */
const MOST = 4

/** How many times as long as the frame what it holds may be. */
const MAX_EXPANSION = 16

/** Pack some of the frames of a stream that follow on each other; all else stays as it is. */
export function packSome(dice: Dice, frames: readonly string[], isHonest: boolean): string[] {
  const sync = frames.indexOf(SYNC)
  if (!isHonest && sync !== -1 && dice.oneIn(4)) return packedUpTo(sync, frames)
  const at = dice.below(frames.length)
  const run = frames.slice(at, at + 1 + dice.below(MOST))
  const end = run.indexOf(SYNC)
  const held = isHonest && end !== -1 ? run.slice(0, end) : run
  if (held.length === 0) return [...frames]
  const packed = isHonest ? packedFrame(`[${held.join()}]`) : falselyPacked(dice, held)
  return [...frames.slice(0, at), packed, ...frames.slice(at + held.length)]
}

/** All of it is right, but that SYNC may not be packed. */
function packedUpTo(sync: number, frames: readonly string[]): string[] {
  return [packedFrame(`[${frames.slice(0, sync + 1).join()}]`), ...frames.slice(sync + 1)]
}

function packedFrame(json: string, more: object = {}): string {
  const packed = deflateRawSync(json).toString('base64')
  // What says the same again and again is packed too well to be taken.
  const isTaken = json.length <= packed.length * MAX_EXPANSION
  return isTaken ? JSON.stringify({ packed, ...more }) : json.slice(1, -1)
}

function falselyPacked(dice: Dice, held: readonly string[]): string {
  const json = `[${held.join()}]`
  const text = deflateRawSync(json).toString('base64')
  const at = 1 + dice.below(text.length - 1)
  return dice.pick([
    () => packedFrame(`[${[...held, SYNC].join()}]`),
    () => packedFrame(`[${packedFrame(json)}]`),
    () => packedFrame(json, { more: 1 }),
    () => packedFrame(held[0] ?? ''),
    () => packedFrame(json.slice(0, -1)),
    () => JSON.stringify({ packed: `${text.slice(0, at)} ${text.slice(at)}` }),
    () => JSON.stringify({ packed: text.slice(0, at) }),
    // Many times as long as itself, and right but for that.
    () => JSON.stringify({ packed: spread(json) }),
  ])()
}

function spread(json: string): string {
  const blanks = ' '.repeat(64 * json.length + 20_000)
  return deflateRawSync(`[${blanks}${json.slice(1)}`).toString('base64')
}
