import { makePeople } from '../support/replica-people.ts'
import { makeFormer, OPERATORS } from './former.ts'
import { NODES, runSchedule } from './schedule.ts'

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

const total = new Map<string, number>()
for (let seed = from; seed < to; seed += 1) {
  for (const [what, count] of Object.entries(await runSchedule(seed, people, former))) {
    if (what !== 'seed') total.set(what, (total.get(what) ?? 0) + (count as number))
  }
}
console.log(`${to - from} schedules, all promises kept:`, Object.fromEntries(total))
