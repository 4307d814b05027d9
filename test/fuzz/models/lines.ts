/**
 * What PROTOCOL.md, "Framing", says of bytes, written down once more in the slowest and plainest
 * way. A model that reads a whole input at once knows nothing of chunks, buffers or states.
 */

/** The lines of an input up to the first that must be refused. */
export interface ModelLines {
  readonly lines: readonly string[]
  /** Whether something behind them must be refused. */
  readonly refused: boolean
}

export function linesOfBytes(bytes: Buffer, maxBytes: number): ModelLines {
  const lines: string[] = []
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const pieces = bytes.toString('latin1').split('\n')
  for (const [index, piece] of pieces.entries()) {
    if (piece.length > maxBytes) return { lines, refused: true }
    if (index === pieces.length - 1) break
    try {
      const line = strict.decode(Buffer.from(piece, 'latin1'))
      if (!isBlank(line)) lines.push(line)
    } catch {
      return { lines, refused: true }
    }
  }
  return { lines, refused: false }
}

export function linesOfText(text: string, maxLength: number): ModelLines {
  const pieces = text.split('\n')
  const long = pieces.findIndex(piece => piece.length > maxLength)
  const lines = pieces.slice(0, long === -1 ? -1 : long).filter(line => !isBlank(line))
  return { lines, refused: long !== -1 }
}

function isBlank(line: string): boolean {
  return /^\s{0,16}$/.test(line)
}

/** @returns the value in a box, or undefined where the text must be refused */
export function valueOf(text: string, maxDepth: number): { readonly value: unknown } | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return depthOf(text) > maxDepth ? undefined : { value }
  } catch {
    return undefined
  }
}

/** @param json a text that is JSON */
function depthOf(json: string): number {
  let depth = 0
  let deepest = 0
  for (const [bracket] of json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    deepest = Math.max(deepest, depth)
  }
  return deepest
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
