import { unpacked } from '../support/packed-frames.ts'

/** What is sent between nodes, by what it is for. */
export const KINDS = [
  'whitelist',
  'members',
  'certificates',
  'digests',
  'confirmations',
  'tree',
  'other',
] as const

export type TrafficKind = (typeof KINDS)[number]

export type Counted = Record<TrafficKind, number>

/** How much of a line tells what it is. */
const HEAD_LENGTH = 160

/** A line that carries a frame of a document: the stream, and how the frame begins. */
const DATA = /^\["([0-9a-f]+)","data","(\{\\"(\w+)|\[)/
const NEW = /^\["([0-9a-f]+)","new",\{"meta":"(\w+)"/

/** Frames by their first field: those of the tree, and those that a document does not tell apart. */
const BY_FIELD: ReadonlyMap<string, TrafficKind> = new Map([
  ['certificate', 'certificates'],
  ['holds', 'digests'],
  ['id', 'digests'],
  ['heard', 'digests'],
  ['buckets', 'digests'],
  ['heads', 'digests'],
  ['confirmed', 'confirmations'],
  ['ask', 'confirmations'],
  ['tallied', 'confirmations'],
  ['have', 'tree'],
  ['want', 'tree'],
  ['lazy', 'tree'],
  ['eager', 'tree'],
])

/** What a frame of a document that begins with a field is for; undefined where its document tells. */
export function kindOf(field: string): TrafficKind | undefined {
  return BY_FIELD.get(field)
}

/** Counts bytes as they arrive, and the copies of updates. */
export class Traffic {
  #bytes = none()
  #copies = { whitelist: 0, members: 0 }
  readonly #received = new Map<string, number>()

  /** Bytes that have arrived since the last `reset`, of all nodes together. */
  get bytes(): Readonly<Counted> {
    return this.#bytes
  }

  /** Updates that have arrived, new or not. */
  get copies(): Readonly<Record<'whitelist' | 'members', number>> {
    return this.#copies
  }

  get total(): number {
    return Object.values(this.#bytes).reduce((sum, bytes) => sum + bytes, 0)
  }

  /** What the node received that received most. */
  get most(): number {
    return Math.max(0, ...this.#received.values())
  }

  /** What one node has received. */
  received(name: string): number {
    return this.#received.get(name) ?? 0
  }

  reset(): void {
    this.#bytes = none()
    this.#copies = { whitelist: 0, members: 0 }
    this.#received.clear()
  }

  /** Count what arrives on a new connection. @returns takes text; tells whether a change was in it */
  connection(): (to: string, text: string) => boolean {
    const streams = new Map<string, 'whitelist' | 'members'>()
    return (to, text) => {
      this.#received.set(to, (this.#received.get(to) ?? 0) + text.length)
      let hasChange = false
      for (let start = 0; start < text.length;) {
        const end = text.indexOf('\n', start)
        const next = end === -1 ? text.length : end + 1
        if (this.#countLine(streams, text.slice(start, next))) hasChange = true
        start = next
      }
      return hasChange
    }
  }

  #countLine(streams: Map<string, 'whitelist' | 'members'>, line: string): boolean {
    const head = line.slice(0, HEAD_LENGTH)
    const [, id = '', , field] = DATA.exec(head) ?? []
    if (field !== 'packed') return this.#count(streams, head, line.length)
    const [, , json] = JSON.parse(line) as [string, string, string]
    const lines = unpacked(JSON.parse(json)).map(frame =>
      JSON.stringify([id, 'data', JSON.stringify(frame)]),
    )
    const characters = lines.reduce((sum, { length }) => sum + length, 0)
    let hasChange = false
    for (const one of lines) {
      const share = (one.length / characters) * line.length
      if (this.#count(streams, one.slice(0, HEAD_LENGTH), share)) hasChange = true
    }
    return hasChange
  }

  #count(streams: Map<string, 'whitelist' | 'members'>, head: string, length: number): boolean {
    const [, id = '', , field] = DATA.exec(head) ?? []
    const document = streams.get(id)
    if (document === undefined) {
      const [, opened = '', meta] = NEW.exec(head) ?? []
      if (meta === 'whitelist' || meta === 'members') streams.set(opened, meta)
      this.#bytes.other += length
      return false
    }
    this.#bytes[(field === undefined ? undefined : kindOf(field)) ?? document] += length
    if (field !== undefined) return false
    this.#copies[document] += 1
    return document === 'whitelist'
  }
}

function none(): Counted {
  return {
    whitelist: 0,
    members: 0,
    certificates: 0,
    digests: 0,
    confirmations: 0,
    tree: 0,
    other: 0,
  }
}
