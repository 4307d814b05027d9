import test from 'ava'
import { parseOwnState } from '../../../../node/client/operator/own-state.ts'
import { parseName, parseSubject } from '../../../../node/identity/names.ts'

/** What a node says of itself: one that is hostile may say anything. */

const removed = { operator: parseName('maria'), at: 1_767_268_800_000, reason: 'stolen' }
const twins = [{ name: parseName('node-2'), kept: '10.0.0.5', refused: '10.0.0.7' }]
const lost = [
  {
    kind: 'grant',
    subject: parseSubject('laptop-7'),
    operator: parseName('maria'),
    at: 1_767_268_800_000,
    sensors: ['door'],
  },
] as const
const nameInUse = 'node/node-2 runs already'

test('a node that is well says nothing of itself', t => {
  t.deepEqual(parseOwnState({}), {})
})

test('what is wrong with a node is read whole', t => {
  const waiting = { lackingWitnesses: 2, missingArchives: ['archive-1.db'] }
  const state = { removed, lost, twins, nameInUse, ...waiting }
  t.deepEqual(parseOwnState(state), state)
})

test('what cannot be shown to a person is refused or made harmless', t => {
  const refused: Record<string, unknown>[] = [
    { removed: null },
    { removed: { ...removed, at: 8.64e15 + 1 } },
    { removed: { ...removed, operator: '\u001B[8m' } },
    { removed: { ...removed, reason: '' } },
    { lost: {} },
    { lost: [null] },
    { lost: [{ ...lost[0], kind: 'other' }] },
    { lost: [{ ...lost[0], subject: 'client/\u001B[8m' }] },
    { lost: [{ ...lost[0], sensors: ['door; reboot'] }] },
    { lost: [{ ...lost[0], operator: '' }] },
    { lost: [{ ...lost[0], at: -1 }] },
    { lost: Array.from({ length: 2_000 }, () => lost[0]) },
    { twins: {} },
    { twins: [null] },
    { twins: [{ ...twins[0], name: '..' }] },
    { twins: Array.from({ length: 5_000 }, () => twins[0]) },
    { nameInUse: 1 },
    { lackingWitnesses: 0 },
    { lackingWitnesses: '1' },
    { missingArchives: [] },
    { missingArchives: 'archive-1.db' },
    { missingArchives: ['archive-1.db; reboot'] },
    { missingArchives: Array.from({ length: 17 }, () => 'archive-1.db') },
  ]
  for (const value of refused) t.is(typeof parseOwnState(value), 'string', JSON.stringify(value))
  const shown = parseOwnState({ nameInUse: `a\n  to mend it: b\u001B[8m${'x'.repeat(9_999)}` })
  const { nameInUse: text = '' } = shown as { nameInUse?: string }
  t.false(text.includes('\n') || text.includes('\u001B'))
  t.true(text.length <= 1_024)
})
