import test from 'ava'
import type { AlarmChange } from '../../../node/alarms/alarm.ts'
import { Alarms } from '../../../node/alarms/alarms.ts'
import type { Member } from '../../../node/gossip/member.ts'
import { parseName, type Name, type Source } from '../../../node/identity/names.ts'
import { startNodeWatch } from '../../../node/fleet/node-watch.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const MINUTE_MS = 60_000

function memberOf(name: string, vitals: object = {}): Member {
  return { name: parseName(name), saidAt: 7, vitals } as unknown as Member
}

/** A node that sees who is alive and who is out of reach, as a test says. */
function watch(self: string) {
  const clock = new FakeClock()
  const told: string[] = []
  const alarms = new Alarms({
    node: self,
    clock,
    rulesOf: ({ kind }) => (kind === 'node' ? [{ type: 'unreachable', forMs: MINUTE_MS }] : []),
  })
  alarms.subscribe(({ state, alarm }: AlarmChange) =>
    told.push(`${alarm.node} ${alarm.sensor} ${alarm.rule} ${state}`),
  )
  let live: Member[] = [memberOf(self)]
  let unreachable: Member[] = []
  const members = {
    self: memberOf(self),
    live: () => new Map(live.map(member => [`${member.name}#1` as Source, member])),
    unreachable: () => new Map<Name, Member | undefined>(unreachable.map(one => [one.name, one])),
  }
  const watching = startNodeWatch({ members, alarms, clock })
  return {
    clock,
    told,
    alarms,
    watching,
    see: (alive: Member[], gone: Member[] = []) => {
      live = [memberOf(self), ...alive]
      unreachable = gone
    },
  }
}

test('the next node by name tells of one that is out of reach, in its time, and that it is back', async t => {
  const node = watch('b')
  node.see([memberOf('c')], [memberOf('a')])
  await node.clock.advance(2_000 + MINUTE_MS)
  t.deepEqual(node.told, ['a node unreachable raised'])
  t.like(node.alarms.standing()[0], {
    kind: 'node',
    reason: 'its last word was of 1970-01-01T00:00:00.007Z',
  })
  node.see([memberOf('a'), memberOf('c')])
  await node.clock.advance(2 * MINUTE_MS)
  t.deepEqual(node.told, ['a node unreachable raised', 'a node unreachable over'])
})

test('a node that comes back and is gone again is told of for the time that it was gone, and not over while it is', async t => {
  const node = watch('b')
  const [a, c] = [memberOf('a'), memberOf('c')]
  const gone = async (ms: number): Promise<void> => {
    node.see([c], [a])
    await node.clock.advance(ms)
  }
  const back = async (ms: number): Promise<void> => {
    node.see([a, c])
    await node.clock.advance(ms)
  }
  await gone(32_000)
  await back(20_000)
  await gone(20_000)
  t.deepEqual(node.told, [])
  await gone(14_000)
  t.deepEqual(node.told, ['a node unreachable raised'])
  await back(20_000)
  await gone(10 * MINUTE_MS)
  t.deepEqual(node.told, ['a node unreachable raised'])
  await back(MINUTE_MS + 2_000)
  t.deepEqual(node.told, ['a node unreachable raised', 'a node unreachable over'])
})

test('the last word of a node is the newest of all that it has said, and of no later than now', async t => {
  const at = new FakeClock().now() - 5_000
  const node = watch('b')
  const vitals = { sensors: [['air', 'temperature', 4, at]] }
  const ahead = { ...memberOf('c'), saidAt: Number.MAX_SAFE_INTEGER }
  node.see([], [memberOf('a', vitals), ahead])
  await node.clock.advance(2_000 + MINUTE_MS)
  t.deepEqual(
    node.alarms.standing().map(({ reason }) => reason),
    [at, at + 7_000].map(moment => `its last word was of ${new Date(moment).toISOString()}`),
  )
})

test('a node tells of none that another one has to tell of, or tells of already', async t => {
  const second = watch('c')
  second.see([memberOf('b')], [memberOf('a')])
  await second.clock.advance(10 * MINUTE_MS)
  t.deepEqual(second.told, [])
  // The first of them dies as well: then the second tells of both, of the first since it saw it go.
  second.see([], [memberOf('a'), memberOf('b')])
  await second.clock.advance(2_000)
  t.deepEqual(second.told, ['a node unreachable raised'])
  await second.clock.advance(MINUTE_MS)
  t.deepEqual(second.told.slice(1), ['b node unreachable raised'])

  const row = ['0123456789ab', 'node', 'node', 'unreachable', 1, 1, null, 0, 'a']
  const third = watch('b')
  third.see([memberOf('c', { alarms: [row] })], [memberOf('a')])
  await third.clock.advance(10 * MINUTE_MS)
  t.deepEqual(third.told, [])
})

test('whoever tells of a node, the alarm has one id, and another one when it is lost anew', async t => {
  const ids = []
  for (const self of ['b', 'z']) {
    const node = watch(self)
    await node.clock.advance(self === 'b' ? 0 : 30_000)
    node.see([], [memberOf('a')])
    await node.clock.advance(2_000 + MINUTE_MS)
    ids.push(node.alarms.standing()[0]?.id)
  }
  t.is(ids[0], ids[1])
  const node = watch('b')
  node.see([], [{ ...memberOf('a'), saidAt: 8 }])
  await node.clock.advance(2_000 + MINUTE_MS)
  t.not(node.alarms.standing()[0]?.id, ids[0])
})

test('a node that left, or was forgotten, is told of no more, and of many that are gone some are told of', async t => {
  const node = watch('b')
  node.see([], [memberOf('a')])
  await node.clock.advance(2_000 + MINUTE_MS)
  node.see([])
  await node.clock.advance(2_000)
  t.deepEqual(node.told, ['a node unreachable raised', 'a node unreachable over'])
  node.see(
    [],
    Array.from({ length: 300 }, (_, index) => memberOf(`node-${index}`)),
  )
  await node.clock.advance(2_000 + MINUTE_MS)
  t.is(node.alarms.standing().length, 16)
  node.watching[Symbol.dispose]()
  node.alarms[Symbol.dispose]()
  t.is(node.clock.pending, 0)
})
