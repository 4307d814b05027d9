import test from 'ava'
import { makePeople } from '../support/replica-people.ts'
import { makeFormer, NODES, OPERATORS, runSchedule, type Report } from './schedule.ts'

const SCHEDULES = 60
const only = process.env['SEED']
const seeds =
  only === undefined ? Array.from({ length: SCHEDULES }, (_, index) => index + 1) : [Number(only)]

test('through delay, partitions, deaths, full disks, old backups and wrong clocks every promise is kept', async t => {
  const people = await makePeople({ nodes: NODES, operators: OPERATORS })
  const former = await makeFormer(people)
  const reports: Report[] = []
  // What it throws names the seed.
  for (const seed of seeds) reports.push(await runSchedule(seed, people, former))
  t.is(reports.length, seeds.length)
  if (only !== undefined) return
  const sum = (pick: (report: Report) => number): number =>
    reports.reduce((total, report) => total + pick(report), 0)
  t.true(sum(({ committed }) => committed) > 1_000)
  t.true(sum(({ again }) => again) > 100)
  t.true(sum(({ failed }) => failed) > 10)
  t.true(sum(({ restarts }) => restarts) > 100)
  t.true(sum(({ restored }) => restored) > 30)
  t.true(sum(({ partitions }) => partitions) > 100)
  t.true(sum(({ standing }) => standing) > 50)
  t.true(sum(({ withdrawn }) => withdrawn) > 30)
  t.true(sum(({ refused }) => refused) > 30)
  t.true(sum(({ voided }) => voided) > 30)
  t.true(sum(({ checkpoints }) => checkpoints) > 30)
})

test('a schedule is replayed by its seed', async t => {
  const people = await makePeople({ nodes: NODES, operators: OPERATORS })
  const former = await makeFormer(people)
  t.deepEqual(await runSchedule(17, people, former), await runSchedule(17, people, former))
})
