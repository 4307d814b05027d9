import test from 'ava'
import { shrink } from './shrink.ts'

const STEPS = Array.from({ length: 14 }, (_, index) => index)

test('of a failing schedule the steps are left that it fails by', async t => {
  const needed = [2, 3, 11]
  const runs: number[] = []
  const fails = async (kept: ReadonlySet<number>): Promise<boolean> => {
    runs.push(kept.size)
    return needed.every(step => kept.has(step))
  }
  t.deepEqual(await shrink(STEPS, fails), needed)
  t.true(runs.length < 60, `${runs.length} runs`)
})

test('a schedule that fails by nothing that happens has no steps left', async t => {
  t.deepEqual(await shrink(STEPS, async () => true), [])
})

test('a schedule of which all steps are needed is left as it is', async t => {
  t.deepEqual(await shrink(STEPS, async kept => kept.size === STEPS.length), STEPS)
})
