import test from 'ava'
import { makePeople } from '../../support/replica-people.ts'
import { hunt, PLANTED_NODES } from '../planted.ts'
import { planOf } from './plan.ts'
import { CLUSTER_PLANTS } from './plants.ts'
import { runCluster, type ClusterReport } from './schedule.ts'
import { clusterNames, simulateClusters } from './simulate.ts'

/** As many as find every planted bug. */
const SCHEDULES = 100
const only = process.env['SEED']
const seeds =
  only === undefined ? Array.from({ length: SCHEDULES }, (_, index) => index + 1) : [Number(only)]

/** How often each thing must have happened, so that the promises were put to the test. */
const ENOUGH: Partial<ClusterReport> = {
  committed: 300,
  failed: 5,
  starts: 100,
  frozen: 50,
  divided: 50,
  copies: 15,
  thefts: 15,
  removed: 15,
  healedMs: 10_000,
}

const names = clusterNames(PLANTED_NODES)
const people = await makePeople({ nodes: names })

test('through crashes, partitions, lost ways, frozen and copied machines, full disks and thieves whole clusters keep every promise', async t => {
  const reports: ClusterReport[] = []
  // What it throws names the seed.
  for (const seed of seeds) reports.push(await runCluster(seed, { people, names }))
  t.is(reports.length, seeds.length)
  if (only !== undefined) return
  for (const [what, enough] of Object.entries(ENOUGH) as [keyof ClusterReport, number][]) {
    const count = reports.reduce((sum, report) => sum + report[what], 0)
    t.true(count > enough, `${what}: ${count}`)
  }
})

test('a schedule of a cluster is replayed by its seed', async t => {
  t.deepEqual(planOf(17, names), planOf(17, names))
  t.deepEqual(await runCluster(17, { people, names }), await runCluster(17, { people, names }))
})

test('schedules that keep every promise are counted, and say what has happened', async t => {
  const lines: string[] = []
  const isFound = await simulateClusters({
    nodes: 2,
    first: 1,
    count: 2,
    shrinks: true,
    print: text => lines.push(text),
  })
  t.false(isFound)
  t.is(lines[0], '2 schedules of 2 nodes, all promises kept:')
  t.true(lines.some(line => /^ {2}committed: \d+$/.test(line)))
})

for (const plant of CLUSTER_PLANTS.filter(({ isSample }) => isSample)) {
  test(`a bug planted in the overlay is found, and its schedule is replayed by its seed (${plant.name})`, async t => {
    const { seed, output } = await hunt(plant, SCHEDULES)
    t.not(seed, undefined, output)
    t.is((await hunt(plant, 1, seed)).seed, seed)
  })
}
