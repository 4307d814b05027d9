import test from 'ava'
import { nodeOf, parseName, subjectOf, type Subject } from '../../../node/identity/names.ts'
import type { Stray } from '../../../node/whitelist/entry.ts'
import { Counts } from '../../../node/sessions/counts.ts'
import { startEnforcement, type EnforcementOptions } from '../../../node/sessions/enforcement.ts'
import { recordLog, type LogLine } from '../../support/gossip-cluster.ts'
import type { ChangeStore } from '../../../node/whitelist/store.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import {
  client,
  NOON,
  requestOf,
  revocationsOf,
  testSource,
} from '../../support/replica-changes.ts'
import { openReplica, type TestReplica } from '../../support/replica-pair.ts'
import { WatchedStore } from '../../support/watched-store.ts'
import { makePeople } from '../../support/replica-people.ts'

/** What follows from a changed list, in which order: whom it cuts, and what is said of that. */

const people = await makePeople({ nodes: ['alpha', 'beta'] })
const AMBER = client('amber')
const BERYL = client('beryl')

interface Scene extends Disposable {
  readonly node: TestReplica
  readonly clock: FakeClock
  readonly counts: Counts
  readonly log: LogLine[]
  /** All that happened, in order. */
  readonly happened: string[]
  /** A node was seen to have signed two entries at one place. */
  equivocate(...strays: readonly Stray[]): void
}

/** A node with `cut` connections, all cut when what shuts them out is reviewed first. */
function setScene(cut = 2, isStarting = false, store?: ChangeStore): Scene {
  const clock = new FakeClock(NOON)
  const node = openReplica(people, 'alpha', { clock, ...(store && { store }) })
  let open = cut
  /** Whoever has been cut is not there to be cut again. */
  const cutAll = (): number => {
    const cutNow = node.replica.stateOf(AMBER).grants.length > 0 ? 0 : open
    open -= cutNow
    return cutNow
  }
  const happened: string[] = []
  const log: LogLine[] = []
  const counts = new Counts()
  const listeners: ((strays: readonly Stray[]) => void)[] = []
  node.replica.confirmations.subscribe(({ changes }) => {
    happened.push(`confirm ${changes.at(-1)?.sequence}: ${changes.at(-1)?.cut} cut`)
  })
  const options: EnforcementOptions = {
    replica: {
      whitelist: node.replica.whitelist,
      confirmations: node.replica.confirmations,
      subscribe: listener => node.replica.subscribe(listener),
      subscribeAhead: listener => node.replica.subscribeAhead(listener),
      subscribeEquivocation: listener => {
        listeners.push(listener)
        return { [Symbol.dispose]: () => void listeners.splice(0) }
      },
      subscribeSettled: listener => node.replica.subscribeSettled(listener),
    },
    sessions: {
      review: subject => {
        happened.push(`review ${subject}`)
        return subject === AMBER ? cutAll() : 0
      },
      reviewAll: () => {
        happened.push('review all sessions')
        return cutAll()
      },
    },
    overlay: {
      review: () => {
        happened.push('review links')
        return 1
      },
    },
    counts,
    clock,
    log: recordLog(log),
    isStarting: () => isStarting,
  }
  const enforcement = startEnforcement(options)
  return {
    node,
    clock,
    counts,
    log,
    happened,
    equivocate: (...strays) => {
      for (const listener of listeners) listener(strays)
    },
    [Symbol.dispose]: () => enforcement[Symbol.dispose](),
  }
}

test('a removed client is cut first, and only then confirmed with how many of its connections were', async t => {
  using scene = setScene()
  await scene.node.revoke(AMBER)
  t.deepEqual(scene.happened, [`review ${AMBER}`, `review ${AMBER}`, 'confirm 1: 2 cut'])
})

test('a removed client is cut before that is written to the disk, and confirmed after it', async t => {
  const store = new WatchedStore()
  using scene = setScene(2, false, store)
  await scene.node.grant(AMBER)
  scene.happened.splice(0)
  store.onAppend = () => scene.happened.push('written')
  await scene.node.revoke(AMBER)
  t.deepEqual(scene.happened, [`review ${AMBER}`, 'written', `review ${AMBER}`, 'confirm 2: 2 cut'])
})

test('a grant is reviewed as well, since it may narrow, and tells of no cut', async t => {
  using scene = setScene()
  await scene.node.grant(AMBER)
  t.deepEqual(scene.happened, [`review ${AMBER}`, 'confirm 1: 0 cut'])
})

for (const role of ['operator', 'node'] as const) {
  test(`with a removed ${role} all sessions and links are decided on again`, async t => {
    using scene = setScene()
    await scene.node.request(requestOf('revocation', subjectOf(role, parseName('beta'))))
    t.deepEqual(scene.happened, [
      'review all sessions',
      'review all sessions',
      'review links',
      'confirm 1: 3 cut',
    ])
  })
}

test('each change is counted by its kind and logged with whom it cut', async t => {
  using scene = setScene()
  await scene.node.grant(AMBER)
  await scene.node.grant(BERYL)
  await scene.node.revoke(AMBER)
  t.deepEqual(scene.counts.applied, { grant: 2, revocation: 1, checkpoint: 0 })
  const applied = scene.log.filter(({ text }) => text === 'change applied')
  t.deepEqual(
    applied.map(({ fields }): unknown[] => [fields['subject'], fields['kind'], fields['cut']]),
    [
      [AMBER, 'grant', 0],
      [BERYL, 'grant', 0],
      [AMBER, 'revocation', 2],
    ] satisfies [Subject, string, number][],
  )
})

test('what comes before the node serves is a line for debugging, change by change', async t => {
  using scene = setScene(2, true)
  await scene.node.grant(AMBER)
  await scene.node.revoke(AMBER)
  t.deepEqual(
    scene.log.map(({ level, text }) => [level, text]),
    [
      ['debug', 'change applied'],
      ['debug', 'change applied'],
    ],
  )
})

test('a node that signed two changes at one place is named once, and everyone is decided on again', t => {
  using scene = setScene()
  const source = testSource('beta')
  scene.equivocate(...revocationsOf(source, 2).map(entry => ({ entry })))
  t.deepEqual(
    scene.log.map(({ level, fields }): unknown[] => [level, fields['liar'], fields['fix']]),
    [['error', nodeOf(source), 'fridge whitelist remove node/beta']],
  )
  t.deepEqual(scene.happened, ['review all sessions', 'review links'])
})

test('nothing is enforced any more once it is disposed', async t => {
  const scene = setScene()
  scene[Symbol.dispose]()
  await scene.node.revoke(AMBER)
  scene.equivocate(...revocationsOf(testSource('beta'), 1).map(entry => ({ entry })))
  t.deepEqual(scene.happened, [])
})
