import { parseArgs } from 'node:util'
import { makePeople } from '../support/replica-people.ts'
import { simulateClusters } from './cluster/simulate.ts'
import { makeFormer, OPERATORS } from './former.ts'
import { NODES, runSchedule } from './schedule.ts'

/**
 * `npm run simulate -- [COUNT] [FIRST SEED]` runs schedules of the list until one fails, and
 * `npm run simulate -- --nodes N --schedules K [--first SEED] [--keep 2,5,7]
 * [--as-is]` schedules of whole clusters; one that fails is shrunk, unless it is left as it is. `SEED=n` runs that one alone.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nodes: { type: 'string' },
    schedules: { type: 'string' },
    first: { type: 'string' },
    keep: { type: 'string' },
    'as-is': { type: 'boolean', default: false },
  },
})
const only = process.env['SEED']

if (values.nodes === undefined) await simulateLists(positionals)
else {
  const { nodes, schedules = '100', first = '1', keep } = values
  const kept = keep === undefined ? undefined : new Set(keep.split(',').map(Number))
  const isFound = await simulateClusters({
    nodes: Number(nodes),
    first: Number(only ?? first),
    count: only === undefined ? Number(schedules) : 1,
    kept,
    shrinks: !values['as-is'],
    print: text => console.log(text),
  })
  process.exitCode = isFound ? 1 : 0
}

async function simulateLists([count = '1000', first = '1']: readonly string[]): Promise<void> {
  const from = Number(only ?? first)
  const to = only === undefined ? from + Number(count) : from + 1
  const people = await makePeople({ nodes: NODES, operators: OPERATORS })
  const former = await makeFormer(people)
  const total = new Map<string, number>()
  for (let seed = from; seed < to; seed += 1) {
    for (const [what, count] of Object.entries(await runSchedule(seed, people, former))) {
      if (what !== 'seed') total.set(what, (total.get(what) ?? 0) + (count as number))
    }
  }
  console.log(`${to - from} schedules, all promises kept:`, Object.fromEntries(total))
}
