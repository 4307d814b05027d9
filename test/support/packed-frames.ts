import { deflateRawSync } from 'node:zlib'
import { isPacked, unpack } from '../../node/gossip/frame-packing.ts'
import { PACKING_DICTIONARY } from '../../node/gossip/packing-dictionary.ts'
import { toBase85 } from '../../node/lib/base85.ts'
import { PEER_LIMITS } from '../../node/wire/limits.ts'
import { Refusal } from '../../node/wire/refusal.ts'

/** What a frame that a node has sent holds, or itself. */
export function unpacked(frame: unknown): readonly unknown[] {
  if (!isPacked(frame)) return [frame]
  const frames = unpack(frame, PEER_LIMITS.maxDepth)
  if (frames instanceof Refusal) throw new RangeError(frames.reason)
  return frames
}

/** What a peer might send as packed text. @param bytes those that pieces of it are made of */
export function packedText(text: string | Uint8Array, bytes: Uint8Array = Buffer.alloc(0)): string {
  const deflated = deflateRawSync(text, { dictionary: PACKING_DICTIONARY })
  const length = Buffer.alloc(3)
  length.writeUIntBE(deflated.length, 0, length.length)
  return toBase85(Buffer.concat([length, deflated, bytes]))
}
