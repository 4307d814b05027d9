import { isObject, linesOfBytes, valueOf } from './lines.ts'

/** PROTOCOL.md, "Multiplexing", over a whole input at once. */

/** What an input must set going: streams opened, texts on them, streams closed, in order. */
export type MuxEvent = readonly [what: 'open' | 'text' | 'close', id: string, text?: string]

export interface MuxModel {
  readonly events: readonly MuxEvent[]
  readonly refused: boolean
}

export interface MuxRules {
  readonly maxLineBytes: number
  /** Streams that this end opened. */
  readonly own: readonly string[]
  /** Whether a peer may open a stream of this name. */
  readonly isOffered: (name: string) => boolean
}

export function modelMux(bytes: Buffer, { maxLineBytes, own, isOffered }: MuxRules): MuxModel {
  const { lines, refused } = linesOfBytes(bytes, maxLineBytes)
  const events: MuxEvent[] = []
  const open = new Map<string, 'own' | 'peer'>(own.map(id => [id, 'own']))
  const closed = new Set<string>()
  for (const line of lines) {
    const frame = frameOf(line)
    if (frame === undefined) return { events, refused: true }
    const [id, kind, text] = frame
    if (kind === 'new') {
      const isFull = [...open.values()].filter(by => by === 'peer').length >= 16
      if (open.has(id) || closed.has(id) || isFull || !isOffered(text)) {
        return { events, refused: true }
      }
      open.set(id, 'peer')
      events.push(['open', id, text])
    } else if (closed.has(id)) continue
    else if (!open.has(id)) return { events, refused: true }
    else if (kind === 'data') events.push(['text', id, text])
    else if (kind !== 'pause' && kind !== 'resume') {
      open.delete(id)
      closed.add(id)
      events.push(['close', id])
    }
  }
  return { events, refused }
}

type Frame = readonly [id: string, kind: string, text: string]

function frameOf(line: string): Frame | undefined {
  const value = valueOf(line, 32)?.value
  if (!Array.isArray(value)) return undefined
  const [id, kind, payload, ...rest] = value as unknown[]
  if (typeof id !== 'string' || !/^[0-9a-f]{1,64}$/.test(id) || rest.length > 0) return undefined
  const bare = value.length === 2
  if (kind === 'pause' || kind === 'resume' || kind === 'end' || kind === 'close') {
    return bare ? [id, kind, ''] : undefined
  }
  if (kind === 'data') return typeof payload === 'string' ? [id, kind, payload] : undefined
  if (kind === 'error') {
    return typeof payload === 'string' && payload.length <= 1_024 ? [id, kind, payload] : undefined
  }
  if (kind !== 'new' || !isObject(payload) || !isObject(payload['opts'])) return undefined
  const { meta, opts } = payload
  const keys = [Object.keys(payload), Object.keys(opts)].map(names => names.sort().join())
  if (keys.join(';') !== 'meta,opts;readable,writable') return undefined
  if (opts['readable'] !== true || opts['writable'] !== true) return undefined
  return typeof meta === 'string' && meta.length <= 64 ? [id, kind, meta] : undefined
}
