import { makePeople } from '../support/replica-people.ts'
import { makeFormer, NODES, OPERATORS, runSchedule } from './schedule.ts'

/**
 * Run schedules until one fails: `node test/simulation/main.ts [COUNT] [FIRST SEED]`. `SEED=n`
 * runs that one alone.
 */
const [count = '1000', first = '1'] = process.argv.slice(2)
const only = process.env['SEED']
const from = Number(only ?? first)
const to = only === undefined ? from + Number(count) : from + 1
const people = await makePeople({ nodes: NODES, operators: OPERATORS })
const former = await makeFormer(people)

const total = { committed: 0, again: 0, failed: 0, restarts: 0, restored: 0, partitions: 0 }
for (let seed = from; seed < to; seed += 1) {
  const report = await runSchedule(seed, people, former)
  for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += report[key]
}
console.log(`${to - from} schedules, all promises kept:`, total)
