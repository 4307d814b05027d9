import test from 'ava'
import { makePeople } from '../support/replica-people.ts'
import { hunt } from './planted.ts'
import { PLANTS } from './plants.ts'
import { makeFormer, OPERATORS } from './former.ts'
import type { Report } from './report.ts'
import { NODES, runSchedule } from './schedule.ts'

/** On a machine that does much else at the same time. */
const PATIENCE_MS = 240_000
/** As many as find every planted bug. */
const SCHEDULES = 100
const only = process.env['SEED']
const seeds =
  only === undefined ? Array.from({ length: SCHEDULES }, (_, index) => index + 1) : [Number(only)]

/** How often each thing must have happened, so that the promises were put to the test. */
const ENOUGH: Partial<Report> = {
  committed: 1_000,
  again: 100,
  failed: 50,
  refused: 50,
  repeated: 20,
  restarts: 100,
  restored: 50,
  resumed: 20,
  twins: 20,
  naps: 50,
  partitions: 100,
  withdrawn: 30,
  voided: 30,
  standing: 50,
  checkpoints: 30,
}

test('through death, sleep, partitions, full disks, old backups, old memory, copies and wrong clocks every promise is kept', async t => {
  t.timeout(PATIENCE_MS)
  const people = await makePeople({ nodes: NODES, operators: OPERATORS })
  const former = await makeFormer(people)
  const reports: Report[] = []
  // What it throws names the seed.
  for (const seed of seeds) reports.push(await runSchedule(seed, people, former))
  t.is(reports.length, seeds.length)
  if (only !== undefined) return
  for (const [what, enough] of Object.entries(ENOUGH) as [keyof Report, number][]) {
    const count = reports.reduce((sum, report) => sum + report[what], 0)
    t.true(count > enough, `${what}: ${count}`)
  }
})

test('a schedule is replayed by its seed', async t => {
  const people = await makePeople({ nodes: NODES, operators: OPERATORS })
  const former = await makeFormer(people)
  t.deepEqual(await runSchedule(17, people, former), await runSchedule(17, people, former))
})

for (const plant of PLANTS.filter(({ isSample }) => isSample)) {
  test(`a planted bug is found, and its schedule is replayed by its seed (${plant.name})`, async t => {
    const { seed, output } = await hunt(plant, SCHEDULES)
    t.not(seed, undefined, output)
    t.is((await hunt(plant, 1, seed)).seed, seed)
  })
}
