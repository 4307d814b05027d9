import test from 'ava'
import type { ReplacedFile } from '../../../node/gossip/gathered-file.ts'
import { LastWords } from '../../../node/gossip/last-words.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { recordLog, type LogLine } from '../../support/gossip-cluster.ts'
import { attachMallory, memberUpdate, openMembers, PROFILE, STATE } from '../../support/members.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const people = await makePeople({ nodes: ['alpha', 'beta', 'mallory'] })
const mallory = people.node('mallory')
const [FIRST, SECOND] = [testSource('mallory', 1), testSource('mallory', 2)]
const OWN = testSource('alpha', 7)
const DAY_MS = 24 * 3_600_000
const LEAVING = { ...STATE, left: true }

class TestFile implements ReplacedFile {
  readonly path = 'last-words.json'
  text: string | undefined

  read(): string | undefined {
    return this.text
  }

  replace(text: string): void {
    this.text = text
  }
}

const NAME = parseName('mallory')

/** A start of alpha, which recalls what its file holds, and hears mallory say something. */
async function start(file: TestFile, ...said: unknown[]) {
  const clock = new FakeClock(NOON)
  const log: LogLine[] = []
  const { replica, signers } = openMembers(people, 'alpha', { clock, alsoKnown: () => [NAME] })
  const common = { isRemoved: () => false, clock, log: recordLog(log) }
  const lastWords = new LastWords({ file, signers, ...common })
  await replica.recall(lastWords.recall())
  lastWords.follow(replica)
  if (said.length > 0) await (await attachMallory(people, replica)).send(...said)
  await clock.advance(10_000)
  return { replica, log, lastWords, clock }
}

/** What a run of mallory says when it starts at a moment, and what it says last. */
function wordsOf(run: Source, startedAt: number, state: object): unknown[] {
  const profile = memberUpdate({ ...PROFILE, startedAt }, mallory, { part: 'profile', run })
  return [profile, memberUpdate(state, mallory, { run })]
}

test('a node that left in order has left in the next run as well, also a year later', async t => {
  const file = new TestFile()
  await start(file, ...wordsOf(FIRST, NOON, LEAVING))
  const { replica, clock } = await start(file)
  t.deepEqual([...replica.left().keys()], [NAME])
  await clock.advance(365 * DAY_MS)
  replica.tidy()
  t.deepEqual([...replica.left().keys()], [NAME])
  t.deepEqual([...replica.unreachable().keys()], [])
})

test('of a node that is there its profile is kept, and not what is old before it is written', async t => {
  const file = new TestFile()
  const state = { ...STATE, links: [testSource('alpha')] }
  const { replica, clock } = await start(file, ...wordsOf(FIRST, NOON, state))
  const placesIn = (): unknown[] => {
    const { words } = JSON.parse(file.text ?? '') as { words: unknown[][] }
    return words.map(([, , place]) => place)
  }
  t.deepEqual(placesIn(), [FIRST, `${FIRST}.state`])
  replica.say({ links: [FIRST] })
  await clock.advance(10)
  t.true(replica.isLive(FIRST))
  const { send } = await attachMallory(people, replica)
  await send(...wordsOf(SECOND, NOON - 1, STATE))
  await clock.advance(10_000)
  t.deepEqual(placesIn(), [FIRST])
})

test('a node that was lost after it had left once is lost, whoever tells of its earlier run', async t => {
  const file = new TestFile()
  const left = wordsOf(FIRST, NOON, LEAVING)
  await start(file, ...left)
  await start(file, ...wordsOf(SECOND, NOON + 1, STATE))
  const { replica, clock } = await start(file, ...left)
  t.deepEqual([...replica.unreachable().keys()], [NAME])
  await clock.advance(2 * DAY_MS)
  replica.tidy()
  t.deepEqual([...replica.unreachable().keys()], [NAME])
})

test('attack: what others said last is not believed because it lies in a file', async t => {
  const file = new TestFile()
  await start(file, ...wordsOf(FIRST, NOON, STATE))
  const genuine = file.text ?? ''
  file.text = genuine.replace(String.raw`\"links\":[]`, String.raw`\"links\":[],\"left\":true`)
  t.not(file.text, genuine)
  const { replica } = await start(file)
  t.deepEqual([...replica.left().keys()], [])
  t.deepEqual([...replica.unreachable().keys()], [NAME])
})

test('a file that holds no words is said, and written anew', async t => {
  for (const text of ['', '7', '{"certificates":[],"words":7}', 'null']) {
    const file = new TestFile()
    file.text = text
    const { log } = await start(file, ...wordsOf(FIRST, NOON, LEAVING))
    t.deepEqual(
      log.map(line => line.text),
      ['cannot read what other nodes said last'],
    )
    t.deepEqual([...(await start(file)).replica.left().keys()], [NAME], text)
  }
})

test('words in the file that are no updates, or of this node itself, are passed over', async t => {
  const file = new TestFile()
  const own = memberUpdate(PROFILE, people.node('alpha'), { part: 'profile', run: OWN })
  file.text = JSON.stringify({ certificates: [7, ['A']], words: [7, [1, 2], [{}, 1, FIRST], own] })
  const { replica, log } = await start(file)
  t.deepEqual(log, [])
  t.deepEqual(replica.runsOf(parseName('alpha')), [replica.self.source])
  t.deepEqual(replica.runsOf(NAME), [])
})
