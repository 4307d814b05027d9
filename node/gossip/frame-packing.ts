import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { fromBase85, toBase85 } from '../lib/base85.ts'
import { parseJson } from '../wire/json.ts'
import { Refusal } from '../wire/refusal.ts'
import { denseText, readDenseText } from './dense-text.ts'
import { PACKING_DICTIONARY } from './packing-dictionary.ts'

/** Frames that are shorter than this together go as they are, in characters. */
const PACKED_FROM = 160

/** An update that is shorter than this goes by itself as it is: each node that passes it on packs it anew. */
const PACKED_ALONE_FROM = 512

/** The same where somebody waits for it. */
const PACKED_IN_HASTE_FROM = 1_024

/** Of how long frames are by themselves, how long they may be packed; else they go as they are. */
const WORTH_IT = 0.95

/** How much JSON is packed into one frame, in bytes, unless one frame alone is longer. */
const PACK_BYTES = 192 * 1_024

/** How much JSON a packed frame of a peer may hold, in bytes. */
export const MAX_UNPACKED_BYTES = 256 * 1_024

/** How many times as long as itself what a packed frame holds may be: a peer is charged for what it sends. */
export const MAX_EXPANSION = 16

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Gathers what a link is sent within one turn of the event loop, of all its streams, and packs what
 * is worth it (PROTOCOL.md, "Packed frames"). What brings a newcomer up to date is certificates and
 * members that say nearly the same: together they take a quarter of what they take one by one.
 */
export class FramePacking<S> {
  readonly #write: (stream: S, json: string, update: object | undefined) => void
  readonly #isInHaste: (stream: S) => boolean
  #held: { readonly stream: S; readonly frame: unknown }[] = []

  /**
   * @param write sends the JSON of one frame; `update` is the same object for all who are sent it
   * @param isInHaste whether news of a stream is waited for. Default: it is
   */
  constructor(
    write: (stream: S, json: string, update: object | undefined) => void,
    isInHaste: (stream: S) => boolean = () => true,
  ) {
    this.#write = write
    this.#isInHaste = isInHaste
  }

  /** Send a frame before this turn is over, behind those that were sent before it. */
  send(stream: S, frame: unknown): void {
    if (this.#held.length === 0) queueMicrotask(() => this.flush())
    this.#held.push({ stream, frame })
  }

  /** Send at once what was gathered. */
  flush(): void {
    const held = this.#held
    this.#held = []
    let run: unknown[] = []
    for (const [index, { stream, frame }] of held.entries()) {
      run.push(frame)
      const next = held[index + 1]
      const goesOn = next !== undefined && next.stream === stream
      if (goesOn && isPackable(frame) && isPackable(next.frame)) continue
      this.#writeRun(stream, run)
      run = []
    }
  }

  #writeRun(stream: S, frames: readonly unknown[]): void {
    const [first] = frames
    // News goes to many links, and is encoded once for all of them.
    if (frames.length === 1 && Array.isArray(first)) {
      const from = this.#isInHaste(stream) ? PACKED_IN_HASTE_FROM : PACKED_ALONE_FROM
      return this.#write(stream, newsOf(first, from), first)
    }
    for (const page of pagesOf(frames)) {
      const packed = pack(page.map(({ json }) => json))
      if (packed !== undefined) this.#write(stream, packed, undefined)
      else for (const { frame, json } of page) this.#write(stream, json, updateOf(frame))
    }
  }
}

/** Whether a frame may be packed: what tells that all has come, and packed frames, may not. */
function isPackable(frame: unknown): boolean {
  return typeof frame === 'object' && !isPacked(frame)
}

/** @returns the JSON of one frame that holds all of them, or undefined where it is not worth it */
export function pack(frames: readonly string[]): string | undefined {
  const json = `[${frames.join(',')}]`
  if (json.length < PACKED_FROM) return undefined
  const bytes = Buffer.from(json)
  const packed = packedText(json)
  const isWorthIt = packed.length < json.length * WORTH_IT
  const isTaken =
    bytes.length <= MAX_UNPACKED_BYTES && bytes.length <= packed.length * MAX_EXPANSION
  return isWorthIt && isTaken ? JSON.stringify({ packed }) : undefined
}

/** Whether a frame of a peer holds others. */
export function isPacked(frame: unknown): frame is object {
  return typeof frame === 'object' && frame !== null && 'packed' in frame
}

/** @returns the frames that a packed one holds, in their order, or why it is refused */
export function unpack(frame: object, maxDepth: number): readonly unknown[] | Refusal {
  const { packed, ...rest } = frame as Record<string, unknown>
  if (typeof packed !== 'string' || Object.keys(rest).length > 0) return malformed()
  const bytes = fromBase85(packed)
  const json = bytes && unpackedText(bytes, packed.length)
  if (json === undefined) return malformed()
  const frames = parseJson(json, maxDepth)
  if (frames instanceof Refusal) return frames
  return Array.isArray(frames) && frames.every(isPackable) ? frames : malformed()
}

function malformed(): Refusal {
  return new Refusal('gossip', 'a packed frame is malformed')
}

/** Bytes in which it is said how long the compressed text is that stands before all other bytes. */
const LENGTH = 3

function packedText(json: string): string {
  const { text, bytes } = denseText(json)
  const deflated = deflateRawSync(text, { dictionary: PACKING_DICTIONARY })
  const length = Buffer.alloc(LENGTH)
  length.writeUIntBE(deflated.length, 0, LENGTH)
  return toBase85(Buffer.concat([length, deflated, bytes]))
}

/** @returns undefined when it is no text, or a longer one than may be */
function unpackedText(packed: Buffer, characters: number): string | undefined {
  const maxBytes = Math.min(MAX_UNPACKED_BYTES, characters * MAX_EXPANSION)
  try {
    const end = LENGTH + packed.readUIntBE(0, LENGTH)
    const text = inflateRawSync(packed.subarray(LENGTH, end), {
      dictionary: PACKING_DICTIONARY,
      maxOutputLength: maxBytes,
    })
    const json = readDenseText({ text, bytes: packed.subarray(end) }, { maxBytes, characters })
    return json && utf8.decode(json)
  } catch {
    return undefined
  }
}

interface Written {
  readonly frame: unknown
  readonly json: string
}

/** Frames by as many as are packed into one. */
function* pagesOf(frames: readonly unknown[]): Iterable<readonly Written[]> {
  let page: Written[] = []
  let bytes = 0
  for (const frame of frames) {
    const json = jsonOf(frame)
    const length = Buffer.byteLength(json)
    if (page.length > 0 && bytes + length > PACK_BYTES) {
      yield page
      page = []
      bytes = 0
    }
    page.push({ frame, json })
    bytes += length
  }
  if (page.length > 0) yield page
}

/** The same update goes to many peers: it is written as JSON once. */
const written = new WeakMap<object, string>()

function jsonOf(frame: unknown): string {
  const update = updateOf(frame)
  const known = update && written.get(update)
  if (known !== undefined) return known
  const json = JSON.stringify(frame)
  if (update !== undefined) written.set(update, json)
  return json
}

const packedNews = new WeakMap<object, string>()

/** An update that goes by itself: it is packed where it is long, as of a node with many links. */
function newsOf(update: object, packedFrom: number): string {
  const json = jsonOf(update)
  if (json.length < packedFrom) return json
  const news = packedNews.get(update) ?? pack([json]) ?? json
  packedNews.set(update, news)
  return news
}

function updateOf(frame: unknown): object | undefined {
  return Array.isArray(frame) ? frame : undefined
}
