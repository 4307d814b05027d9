import type { Dice } from '../dice.ts'
import { HONEST, HOSTILE, VICTIM } from './names.ts'

/** A frame of the trees. @param tree one of the document that it is sent in */
export function treeFrame(dice: Dice, isHonest: boolean, tree: string | true): object {
  const source = dice.pick([HONEST, HOSTILE, VICTIM])
  const many = Array.from({ length: 513 }, (_, run) => `x#${run.toString(16).padStart(16, '0')}`)
  if (isHonest) {
    return dice.pick<object>([
      { have: { [source]: 7 } },
      { have: { [HOSTILE]: [1, 'x'.repeat(22)], [HONEST]: 1 } },
      { want: [source] },
      { want: [] },
      { lazy: tree },
      { eager: tree },
    ])
  }
  return dice.pick<object>([
    { have: { [source]: 0 } },
    { have: { [source]: [1, 'x'.repeat(65)] } },
    { have: { [source]: [1, 'x', 'y'] } },
    { have: { toString: 1 } },
    { have: Object.fromEntries(many.map(one => [one, 1])) },
    { have: [source] },
    { want: { [source]: 1 } },
    { want: ['alpha'] },
    { want: many },
    { lazy: tree === true ? 'alpha' : true },
    { eager: '../..' },
    { lazy: tree, eager: tree },
  ])
}

/** What an end says that it holds. */
export function heldFrames(dice: Dice, isHonest: boolean): object[] {
  const good = { holds: ['AAAAAAAA', 'x-_yzw12'] }
  if (isHonest) return [good]
  return dice.pick<object[]>([
    [good, good],
    [{ ...good, more: 1 }],
    [{ holds: ['AAAAAAAA='] }],
    [{ holds: 'AAAAAAAA' }],
    [{ holds: Array.from({ length: 16_385 }, () => 'AAAAAAAA') }],
  ])
}
