import { isPacked, unpack } from '../../node/gossip/frame-packing.ts'
import { PEER_LIMITS } from '../../node/wire/limits.ts'
import { Refusal } from '../../node/wire/refusal.ts'

/** What a frame that a node has sent holds, or itself. */
export function unpacked(frame: unknown): readonly unknown[] {
  if (!isPacked(frame)) return [frame]
  const frames = unpack(frame, PEER_LIMITS.maxDepth)
  if (frames instanceof Refusal) throw new RangeError(frames.reason)
  return frames
}
