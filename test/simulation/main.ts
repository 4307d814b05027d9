import { parseArgs } from 'node:util'
import { makePeople } from '../support/replica-people.ts'
import { simulateClusters } from './cluster/simulate.ts'
import { makeFormer, OPERATORS } from './former.ts'
import { NODES as NEWCOMER_NODES, runSchedule as runNewcomers } from './newcomers/schedule.ts'
import { NODES, runSchedule } from './schedule.ts'

/**
 * `npm run simulate -- [COUNT] [FIRST SEED]` runs schedules of the list until one fails, with
 * `--newcomers` those of newcomers and archives, and
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
    newcomers: { type: 'boolean', default: false },
  },
})
const only = process.env['SEED']

const numbers = [values.nodes, values.schedules, values.first, only, ...positionals]
const wrong = numbers.find(one => one !== undefined && !/^[1-9]\d{0,8}$/.test(one))

if (wrong !== undefined) {
  console.error(`simulate: ${wrong} is not a number from 1 on`)
  process.exitCode = 2
} else if (values.newcomers) await simulateNewcomers(positionals)
else if (values.nodes === undefined) await simulateLists(positionals)
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

async function simulateLists(range: readonly string[]): Promise<void> {
  const people = await makePeople({ nodes: NODES, operators: OPERATORS })
  const former = await makeFormer(people)
  await simulate(range, async seed => runSchedule(seed, people, former))
}

async function simulateNewcomers(range: readonly string[]): Promise<void> {
  const people = await makePeople({ nodes: NEWCOMER_NODES, operators: OPERATORS })
  const former = await makeFormer(people)
  await simulate(range, async seed => runNewcomers(seed, people, former))
}

async function simulate(
  [count = '1000', first = '1']: readonly string[],
  run: (seed: number) => Promise<object>,
): Promise<void> {
  const from = Number(only ?? first)
  const to = only === undefined ? from + Number(count) : from + 1
  const total = new Map<string, number>()
  for (let seed = from; seed < to; seed += 1) {
    for (const [what, much] of Object.entries(await run(seed))) {
      if (what !== 'seed') total.set(what, (total.get(what) ?? 0) + (much as number))
    }
  }
  console.log(`${to - from} schedules, all promises kept:`, Object.fromEntries(total))
}
