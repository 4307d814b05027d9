import type { Dice } from './dice.ts'

/** What has broken parsers before, here and elsewhere. */

export const KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'length',
  'then',
  'forEach',
  'error',
  'newListener',
  'data',
  'id',
  'clock',
  'meta',
  'opts',
  'method',
  'methods',
  'cull',
  'arguments',
  'callbacks',
  'links',
  '0',
  '1',
  '-1',
  '4294967295',
  '',
]

export const NUMBERS: readonly number[] = [
  0,
  -0,
  1,
  -1,
  2,
  1.5,
  16,
  17,
  31,
  32,
  33,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32,
  1e8,
  9e15,
  Number.MAX_SAFE_INTEGER,
  Number.MAX_SAFE_INTEGER + 1,
  1e21,
  1e308,
  5e-324,
]

/** What stands on a line where something else should; some of it no `JSON.stringify` writes. */
export const RAW_JSON: readonly string[] = [
  'null',
  '7',
  '{}',
  '[]',
  '"SYNC"',
  '1e999',
  '-1e999',
  '-0',
  '1E400',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '{"__proto__":{"paused":true}}',
  '{"__proto__":null}',
  '{"a":1,"a":2}',
  '{"constructor":{"prototype":{"paused":true}}}',
  '{"toString":1,"valueOf":1}',
  '{"forEach":1,"length":1}',
  '[[[]]]',
  'NaN',
  '01',
  '"\u2028"',
]

const STRINGS: readonly string[] = [
  ...KEYS,
  '[Function]',
  '[Circular]',
  'SYNC',
  '\ud800',
  '\u0000',
  '\n',
  '\r\n',
  '\ufeff',
  'é',
  '\u{1f9ca}',
  'null',
  '{bad',
  '[]',
]

const ATOMS: readonly unknown[] = [null, true, false, [], {}, [null], [[]], { '': null }]

/** A value that breaks what does not expect it. */
export function interestingValue(dice: Dice): unknown {
  switch (dice.below(6)) {
    case 0:
      return dice.pick(NUMBERS)
    case 1:
      return dice.pick(STRINGS)
    case 2:
      return dice.pick(ATOMS)
    case 3:
      return nested(dice, dice.pick([1, 2, 28, 29, 30, 31, 32, 33, 34, 40]))
    case 4:
      return dice.pick(STRINGS).repeat(dice.pick([2, 16, 64, 65, 500, 1_025]))
    default:
      return Array.from({ length: dice.pick([1, 2, 3, 16, 17, 18, 33]) }, () =>
        dice.pick([...ATOMS, ...NUMBERS]),
      )
  }
}

/** Arrays and objects inside each other. */
export function nested(dice: Dice, depth: number): unknown {
  let value: unknown = dice.pick(ATOMS.slice(0, 3))
  for (let level = 0; level < depth; level += 1) value = dice.oneIn(2) ? [value] : { a: value }
  return value
}
