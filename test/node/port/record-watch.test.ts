import test from 'ava'
import { RecordWatch } from '../../../node/port/record-watch.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** Watch one connection for a minute. @returns after how many seconds it was found, or undefined */
async function foundAfter(
  rawPerSecond: number,
  dataPerSecond: number,
): Promise<number | undefined> {
  const clock = new FakeClock()
  using watch = new RecordWatch(clock)
  const raw = { bytesRead: 3_000 }
  const secured = { bytesRead: 0 }
  let found = 0
  watch.watch(raw, secured, () => {
    found += 1
  })
  for (let second = 1; second <= 60; second += 1) {
    raw.bytesRead += rawPerSecond
    secured.bytesRead += dataPerSecond
    await clock.advance(1_000)
    if (found > 0) return second
  }
  return undefined
}

test('records without data are found, within a second at the speed of the line', async t => {
  t.is(await foundAfter(850_000, 0), 1)
  t.is(await foundAfter(100_000, 10), 2)
})

test('data is no flood, however much there is and in however small records', async t => {
  t.is(await foundAfter(100_000_000, 99_000_000), undefined)
  t.is(await foundAfter(250 * 23, 250), undefined)
  t.is(await foundAfter(0, 0), undefined)
})

test('data does not hide records without any', async t => {
  t.is(await foundAfter(250_000 + 250_000, 250_000), 1)
})

test('a connection that has gone is forgotten, and no timer goes on without any', async t => {
  const clock = new FakeClock()
  using watch = new RecordWatch(clock)
  const raw = { bytesRead: 0 }
  watch.watch(raw, { bytesRead: 0 }, () => t.fail())
  raw.bytesRead = 10_000_000
  watch.forget(raw)
  await clock.advance(1_000)
  t.is(clock.pending, 0)
})
