import test from 'ava'
import { commandOf, LostChanges } from '../../../node/gossip/lost-changes.ts'
import { subjectOf, WHOLE_LIST, parseName } from '../../../node/identity/names.ts'
import type { Change } from '../../../node/whitelist/change.ts'
import { lostChangeOf } from '../../../node/whitelist/lost-change.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { recordLog, type LogLine } from '../../support/gossip-cluster.ts'
import { client, grantAt, NOON, revocationAt, testSource } from '../../support/replica-changes.ts'

const [AMBER, BASIL] = [client('amber'), client('basil')]
const SOURCE = testSource('alpha')
const HOUR_MS = 3_600_000

interface Scene {
  readonly lost: LostChanges
  readonly clock: FakeClock
  readonly log: LogLine[]
  /** What lies on the disk. */
  readonly file: { text: string | undefined }
}

function setScene(file: Scene['file'] = { text: undefined }): Scene {
  const clock = new FakeClock(NOON + HOUR_MS)
  const log: LogLine[] = []
  const whole = { read: () => file.text, replace: (text: string) => void (file.text = text) }
  return { lost: new LostChanges({ file: whole, clock, log: recordLog(log) }), clock, log, file }
}

const removal = revocationAt(SOURCE, 1, AMBER)
const grant = grantAt(SOURCE, 2, { subject: BASIL })

const subjectsOf = ({ lost }: Scene): string[] => lost.all.map(({ subject }) => subject)

test('what was given up is told with the command that mends it, also after a restart', t => {
  const scene = setScene()
  scene.lost.note([removal, grant])
  t.deepEqual(
    scene.log.map(({ level, fields }) => [level, (fields as { fix?: string }).fix]),
    [
      ['error', 'fridge whitelist remove amber'],
      ['error', 'fridge whitelist add basil'],
    ],
  )
  t.deepEqual(subjectsOf(scene), [AMBER, BASIL])
  t.deepEqual(setScene(scene.file).lost.all, scene.lost.all)
})

test('what somebody has decided anew is told no more', t => {
  const scene = setScene()
  scene.lost.note([removal, grant])
  const later = { at: NOON + 2 * HOUR_MS }
  scene.lost.applied({ ...grantAt(SOURCE, 3, { subject: AMBER }), ...later })
  t.deepEqual(subjectsOf(scene), [BASIL])
  t.deepEqual(subjectsOf(setScene(scene.file)), [BASIL])
  scene.lost.applied({ ...grant, ...later })
  t.deepEqual(subjectsOf(scene), [])
})

test('a grant that was made out of sight of a lost removal does not hide that it was lost', t => {
  const scene = setScene()
  scene.lost.note([removal])
  const meanwhile: Change = { ...grantAt(testSource('beta'), 1, { subject: AMBER }), at: NOON + 1 }
  scene.lost.applied(meanwhile)
  t.deepEqual(subjectsOf(scene), [AMBER])
  scene.lost.applied({ ...revocationAt(testSource('beta'), 2, AMBER), at: NOON + 2 })
  t.deepEqual(subjectsOf(scene), [], 'another operator has removed it as well')
})

test('the command gives again what a grant gave, and no more', t => {
  const key = '8fa3aab2faa9b79e0a0398da5b5abd0780142442a5be80b9a64608d718cb1fcd'
  const commandFor = (terms: object): string =>
    commandOf(lostChangeOf(grantAt(SOURCE, 1, { terms })), NOON)
  t.is(
    commandFor({ sensors: ['door'], commands: ['defrost'], keys: [key], expiresAt: NOON + 1_500 }),
    `fridge whitelist add amber --sensor door --command defrost --key ${key} --expires-in 2s`,
  )
  t.is(commandFor({ sensors: [] }), 'fridge whitelist show amber')
  const node = revocationAt(SOURCE, 1, subjectOf('node', parseName('beta')))
  t.is(commandOf(lostChangeOf(node), NOON), 'fridge whitelist remove node/beta')
  const stated = { ...lostChangeOf(removal), kind: 'checkpoint', subject: WHOLE_LIST } as const
  t.is(commandOf(stated, NOON), 'fridge whitelist checkpoint')
})

test('a lost grant that has ended meanwhile is told no more', async t => {
  const scene = setScene()
  const terms = { expiresAt: NOON + 2 * HOUR_MS }
  scene.lost.note([grantAt(SOURCE, 1, { subject: BASIL, terms })])
  t.is(scene.lost.all.length, 1)
  await scene.clock.advance(HOUR_MS)
  t.is(scene.lost.all.length, 0)
})

test('a file that holds something else is said, and keeps no node from starting', t => {
  for (const text of ['{', '{}', '[null]', '[{"lost":{"kind":"grant"},"lostAt":1}]']) {
    const scene = setScene({ text })
    t.deepEqual(scene.lost.all, [])
    t.is(scene.log[0]?.text, 'cannot read lost.json', text)
  }
})
