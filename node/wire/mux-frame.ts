import type { WireLimits } from './limits.ts'
import { Refusal } from './refusal.ts'

/** A frame of mux-demux that has been checked (PROTOCOL.md, "Multiplexing"). */
export type MuxFrame =
  | [id: string, event: 'new', options: { meta: string; opts: { writable: true; readable: true } }]
  | [id: string, event: 'data', text: string]
  | [id: string, event: 'error', message: string]
  | [id: string, event: 'pause' | 'resume' | 'end' | 'close']

/**
 * Ids are hexadecimal, as stock mux-demux draws them. The package keeps its streams in a plain
 * object, and no property of Object.prototype is spelled with these digits alone.
 */
const ID = /^[0-9a-f]+$/
const MAX_ERROR_LENGTH = 1_024

/** Check one frame before the package sees it. It says nothing about which streams exist. */
export function parseMuxFrame(value: unknown, limits: WireLimits): MuxFrame | Refusal {
  if (!Array.isArray(value)) return new Refusal('mux', 'a frame is not an array')
  const frame: readonly unknown[] = value
  const id = frame[0]
  const payload = frame[2]
  if (typeof id !== 'string' || id.length > limits.maxIdLength || !ID.test(id)) {
    return new Refusal('mux', 'a frame has no valid stream id')
  }
  switch (frame[1]) {
    case 'data':
      if (frame.length !== 3 || typeof payload !== 'string') {
        return new Refusal('mux', 'data is not one text')
      }
      return value as MuxFrame
    case 'pause':
    case 'resume':
    case 'end':
    case 'close':
      if (frame.length !== 2) return new Refusal('mux', 'a frame has an unexpected payload')
      return value as MuxFrame
    case 'error':
      if (frame.length !== 3 || typeof payload !== 'string' || payload.length > MAX_ERROR_LENGTH) {
        return new Refusal('mux', 'an error is not one short text')
      }
      return value as MuxFrame
    case 'new':
      if (frame.length !== 3 || !isNewPayload(payload, limits)) {
        return new Refusal('mux', 'a new stream is malformed')
      }
      return value as MuxFrame
    default:
      return new Refusal('mux', 'a frame is of an unknown kind')
  }
}

function isNewPayload(payload: unknown, { maxMetaLength }: WireLimits): boolean {
  if (typeof payload !== 'object' || payload === null || Object.keys(payload).length !== 2) {
    return false
  }
  const { meta, opts } = payload as Record<string, unknown>
  if (typeof meta !== 'string' || meta.length > maxMetaLength) return false
  if (typeof opts !== 'object' || opts === null || Object.keys(opts).length !== 2) return false
  const { writable, readable } = opts as Record<string, unknown>
  return writable === true && readable === true
}
