import test from 'ava'
import { makePeople } from '../../support/replica-people.ts'
import { makeFormer, OPERATORS } from '../former.ts'
import type { Report } from './counts.ts'
import { NODES, runSchedule } from './schedule.ts'

/** On a machine that does much else at the same time. */
const PATIENCE_MS = 240_000
/** Each opens a dozen databases: `npm run simulate:planted` runs more, to find every planted bug. */
const SCHEDULES = 14
const only = process.env['SEED']
const seeds =
  only === undefined ? Array.from({ length: SCHEDULES }, (_, index) => index + 1) : [Number(only)]

/** How often each thing must have happened, so that the promises were put to the test. */
const ENOUGH: Partial<Report> = {
  committed: 150,
  former: 15,
  withdrawn: 4,
  archived: 15,
  begun: 1,
  interrupted: 0,
  killed: 10,
  hidden: 1,
  restored: 4,
}

test('through lost disks, crashes in the middle of a state or an archive, missing archives and old backups every promise is kept', async t => {
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
