import { Refusal } from './refusal.ts'

const QUOTE = 34
const BACKSLASH = 92
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

/**
 * Parse JSON (RFC 8259) from outside. Its depth is counted before it is parsed, so that no
 * text makes the parser, or code that walks the result, recurse deeper than `maxDepth`.
 */
export function parseJson(text: string, maxDepth: number): unknown {
  if (isTooDeep(text, maxDepth)) return new Refusal('json', `nested deeper than ${maxDepth}`)
  try {
    return JSON.parse(text) as unknown
  } catch {
    return new Refusal('json', 'not JSON')
  }
}

function isTooDeep(text: string, maxDepth: number): boolean {
  // Fewer openings than the limit cannot nest deeper; most lines end here.
  if (text.length <= maxDepth) return false
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at + 1)
    else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) {
      depth += 1
      if (depth > maxDepth) return true
    } else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) depth -= 1
  }
  return false
}

/**
 * Where the quote stands that ends a string, or the end of the text. Most of what peers send is
 * strings, and to look for a quote takes a tenth of looking at each character.
 */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let escapes = 0
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes += 1
    if (escapes % 2 === 0) return at
  }
  return text.length
}
