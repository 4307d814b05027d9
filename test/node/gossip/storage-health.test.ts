import test from 'ava'
import { StorageHealth } from '../../../node/gossip/storage-health.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('it is failing from the first failure to the first probe that holds, and says so once each', async t => {
  const clock = new FakeClock()
  let isFull = true
  const health = new StorageHealth({
    clock,
    probe: () => {
      if (isFull) throw new Error('the disk is full')
    },
  })
  const told: (string | undefined)[] = []
  health.subscribe(failing => told.push(failing))
  let isWorking = false
  health.failed(new Error('the disk is full'))
  health.failed(new Error('the disk is full'))
  const working = health.working().then(() => {
    isWorking = true
  })
  await clock.advance(10_000)
  t.is(health.failing, 'the disk is full')
  t.false(isWorking)
  t.deepEqual(told, ['the disk is full'])
  isFull = false
  await clock.advance(30_000)
  await working
  t.is(health.failing, undefined)
  t.deepEqual(told, ['the disk is full', undefined])
  await health.working()
  t.is(clock.pending, 0)
})

test('probes that hold are not enough to be tried often again: a change must have been stored', async t => {
  const clock = new FakeClock()
  const health = new StorageHealth({ clock, probe: () => {} })
  for (const waitMs of [1_000, 2_000, 4_000]) {
    health.failed(new Error('it is too large'))
    await clock.advance(waitMs - 1)
    t.is(health.failing, 'it is too large')
    await clock.advance(1)
    t.is(health.failing, undefined)
  }
  health.worked()
  health.failed(new Error('it is too large'))
  await clock.advance(1_000)
  t.is(health.failing, undefined)
})

test('a node that stops tries no more', async t => {
  const clock = new FakeClock()
  const health = new StorageHealth({ clock, probe: () => t.fail() })
  health.failed(new Error('the disk is full'))
  health[Symbol.dispose]()
  health.failed(new Error('the disk is full'))
  t.is(clock.pending, 0)
  await clock.advance(100_000)
})
