import test from 'ava'
import { makePeople } from '../../support/replica-people.ts'
import { OPERATORS } from '../former.ts'
import { hunt } from '../planted.ts'
import { NEWCOMER_PLANTS } from './plants.ts'
import { NODES, runSchedule, type Report } from './schedule.ts'

/** On a machine that does much else at the same time. */
const PATIENCE_MS = 240_000
/** As many as find every planted bug. */
const SCHEDULES = 24
const only = process.env['SEED']
const seeds =
  only === undefined ? Array.from({ length: SCHEDULES }, (_, index) => index + 1) : [Number(only)]

/** How often each thing must have happened, so that the promises were put to the test. */
const ENOUGH: Partial<Report> = {
  committed: 200,
  archived: 20,
  begun: 3,
  interrupted: 3,
  killed: 10,
  hidden: 2,
  restored: 5,
}

test('through lost disks, crashes in the middle of a state or an archive, missing archives and old backups every promise is kept', async t => {
  t.timeout(PATIENCE_MS)
  const people = await makePeople({ nodes: NODES, operators: OPERATORS })
  const reports: Report[] = []
  // What it throws names the seed.
  for (const seed of seeds) reports.push(await runSchedule(seed, people))
  t.is(reports.length, seeds.length)
  if (only !== undefined) return
  for (const [what, enough] of Object.entries(ENOUGH) as [keyof Report, number][]) {
    const count = reports.reduce((sum, report) => sum + report[what], 0)
    t.true(count > enough, `${what}: ${count}`)
  }
})

for (const plant of NEWCOMER_PLANTS.filter(({ isSample }) => isSample)) {
  test(`a planted bug of newcomers is found, and its schedule is replayed by its seed (${plant.name})`, async t => {
    t.timeout(PATIENCE_MS)
    const { seed, output } = await hunt(plant, SCHEDULES)
    t.not(seed, undefined, output)
    t.is((await hunt(plant, 1, seed)).seed, seed)
  })
}
