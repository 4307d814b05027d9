/** Tokens of TypeScript, as far as it takes to tell code from comments, texts and patterns. */
const SKIPPED = /(?:\s+|\/\/.*|\/\*[^]*?\*\/)+/y
const WORD = /[\p{ID_Start}$_#][\p{ID_Continue}$\u200C\u200D]*|\d[\w.]*/uy
const TEXT = /'((?:[^'\\\n]|\\[^])*)'|"((?:[^"\\\n]|\\[^])*)"/y
const PATTERN = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
/** The rest of a template behind its backtick, or behind the brace that ends a hole in it. */
const TEMPLATE = /(?:[^`\\$]|\\[^]|\$(?!\{))*(`|\$\{)/y

/** Words behind which a slash begins a pattern: no value ends with them. */
const NO_VALUE = new Set(['return', 'typeof', 'case', 'in', 'of', 'void', 'await', 'yield', 'else'])

interface Token {
  readonly kind: 'word' | 'text' | 'sign' | 'other'
  readonly text: string
}

/** @throws when it meets what it cannot read: an import must not hide behind that */
function* tokensOf(source: string): Generator<Token, void> {
  let at = 0
  let last: Token = { kind: 'sign', text: '' }
  /** For each brace that is open, whether it is a hole of a template. */
  const braces: boolean[] = []
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(source)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  const template = (): Token => {
    const [, end] = take(TEMPLATE) ?? []
    if (end === undefined) throw new Error('a template has no end')
    if (end === '${') braces.push(true)
    return { kind: end === '`' ? 'other' : 'sign', text: end }
  }
  const next = (): Token => {
    const word = take(WORD)
    if (word !== null) return { kind: 'word', text: word[0] }
    const text = take(TEXT)
    if (text !== null) return { kind: 'text', text: text[1] ?? text[2] ?? '' }
    const sign = source[at] ?? ''
    if (sign === '/' && !endsValue(last) && take(PATTERN) !== null) {
      return { kind: 'other', text: sign }
    }
    if (sign === "'" || sign === '"') throw new Error('a text has no end')
    at += 1
    if (sign === '`') return template()
    if (sign === '{') braces.push(false)
    if (sign === '}' && braces.pop() === true) return template()
    return { kind: 'sign', text: sign }
  }
  for (;;) {
    take(SKIPPED)
    if (at >= source.length) return
    last = next()
    yield last
  }
}

/** Whether a slash behind this token divides. */
function endsValue({ kind, text }: Token): boolean {
  if (kind === 'word') return !NO_VALUE.has(text)
  return kind !== 'sign' || text === ')' || text === ']' || text === '}'
}

const OWN_REQUIRE = 'createRequire(import.meta.url)('

/**
 * What a TypeScript file imports, types included: `import … from`, `export … from`, `import '…'`,
 * `import('…')` of a value or a type, and a call of what `createRequire` made.
 * @throws when an import names no literal text, or the file cannot be read
 */
export function importsOf(source: string): string[] {
  const found: string[] = []
  let before: Token[] = []
  for (const token of tokensOf(source)) {
    const [previous, caller] = [before.at(-1), before.at(-2)]
    const written = before.map(({ text }) => text).join('')
    const isCall = previous?.text === '(' && caller?.kind === 'word' && caller.text === 'import'
    const isRequire = written.endsWith(OWN_REQUIRE)
    const isStatement =
      previous?.kind === 'word' && (previous.text === 'from' || previous.text === 'import')
    if (token.kind === 'text' && (isCall || isRequire || isStatement)) found.push(token.text)
    else if (isCall || isRequire) throw new Error('an import names no literal text')
    before = [...before.slice(-8), token]
  }
  return found
}

/** Whether a file uses a global of that name: as a word of its own, not as somebody's property. */
export function usesGlobal(source: string, name: string): boolean {
  let previous = ''
  for (const { kind, text } of tokensOf(source)) {
    if (kind === 'word' && text === name && previous !== '.') return true
    previous = text
  }
  return false
}
