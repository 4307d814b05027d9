import test from 'ava'
import * as fc from 'fast-check'
import { parseJson } from '../../../node/wire/json.ts'
import { Refusal } from '../../../node/wire/refusal.ts'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

/** The greatest depth of a text, character by character. */
function depthOf(text: string): number {
  let [depth, deepest, inString] = [0, 0, false]
  for (let at = 0; at < text.length; at += 1) {
    const unit = text[at]
    if (inString && unit === '\\') at += 1
    else if (unit === '"') inString = !inString
    else if (!inString && unit === '[') depth += 1
    else if (!inString && unit === ']') depth -= 1
    deepest = Math.max(deepest, depth)
  }
  return deepest
}

function isRefusedForDepth(text: string): boolean {
  const parsed = parseJson(text, 2)
  return parsed instanceof Refusal && parsed.reason.startsWith('nested')
}

test('what nests as deep as allowed is parsed, one deeper is refused', t => {
  t.false(parseJson(nested(32), 32) instanceof Refusal)
  t.true(parseJson(nested(33), 32) instanceof Refusal)
  t.true(parseJson('{"a":'.repeat(33) + '1' + '}'.repeat(33), 32) instanceof Refusal)
  t.false(parseJson(`[${Array(100).fill('[]').join(',')}]`, 2) instanceof Refusal)
})

test('brackets inside strings do not count, and escaped quotes do not end a string', t => {
  for (const text of ['[[[[', '"[[[[', '\\"[[[[', '\\', '\\\\"[[[[']) {
    t.is(parseJson(JSON.stringify([text]), 1)?.toString(), text)
  }
})

test('what nests too deep is found behind any quotes and backslashes', t => {
  const unit = fc.constantFrom('"', '\\', '[', ']', '\\"', 'a')
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), text => {
      t.is(isRefusedForDepth(text), depthOf(text) > 2)
    }),
  )
})

test('closing brackets buy no depth', t => {
  t.true(parseJson(']'.repeat(50) + nested(40), 32) instanceof Refusal)
})

test('any text gives a value or a refusal, and any JSON its value', t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      t.notThrows(() => parseJson(text, 8))
    }),
  )
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), text => {
      t.deepEqual(parseJson(text, 16), JSON.parse(text))
    }),
  )
})

test('a refusal cannot be forged by JSON that looks like one', t => {
  t.false(parseJson('{"layer":"json","reason":"x"}', 32) instanceof Refusal)
})
