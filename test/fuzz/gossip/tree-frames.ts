import type { Dice } from '../dice.ts'
import { HONEST, HOSTILE, VICTIM } from './names.ts'

/** Let a session say something of the trees and of certificates, and lie in one of them if at all. */
export function sayOfTrees(
  dice: Dice,
  said: { readonly whitelist: string[]; readonly members: string[] },
  isHonest: boolean,
): void {
  const lie = isHonest ? 'none' : dice.pick(['frame', 'frame', 'frame', 'early', 'held'])
  if (lie === 'held' || dice.oneIn(4)) {
    said.whitelist.unshift(...heldFrames(dice, lie !== 'held').map(one => JSON.stringify(one)))
  }
  const name = dice.pick(['whitelist', 'members'] as const)
  const tree = name === 'members' ? true : HONEST.slice(0, HONEST.indexOf('#'))
  const frame = JSON.stringify(treeFrame(dice, lie !== 'frame', tree))
  if (lie === 'early') said[name].unshift(frame)
  else said[name].push(frame)
}

/** A frame of the trees. @param tree one of the document that it is sent in */
function treeFrame(dice: Dice, isHonest: boolean, tree: string | true): object {
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
function heldFrames(dice: Dice, isHonest: boolean): object[] {
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
