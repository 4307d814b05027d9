import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { collectGarbage } from '../support/wire-garbage.ts'
import { fuzz, runGuarded, shrink, type Report } from './fuzz.ts'
import type { Target } from './target.ts'
import { TARGETS } from './targets.ts'

/**
 * `npm run fuzz`: LAYER=name of one layer, INPUTS=how many of each (`fixed`: as many as `npm test` runs), DURATION=seconds a layer instead,
 * SEED=n. `npm run fuzz -- LAYER FILE` runs one input again.
 */
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const DURATION_S = Number(process.env['DURATION'] ?? 0)
const INPUTS = process.env['INPUTS'] ?? '1000000'
/** Inputs between two looks at the memory. */
const BATCH = 20_000
/** What the heap may be above its baseline, in bytes: compiled code and caches settle late. */
const SLACK = 8 * 1_024 * 1_024

const { positionals } = parseArgs({ allowPositionals: true })
const [layer, file] = positionals
/** The one layer that was asked for; all where none was. */
const only = layer ?? process.env['LAYER']
if (only !== undefined && !Object.hasOwn(TARGETS, only)) {
  console.error(`fuzz: there is no layer ${only}; use ${Object.keys(TARGETS).join(', ')}`)
  process.exit(2)
}
const isClean =
  layer !== undefined && file !== undefined ? await replay(layer, file) : await fuzzAll()
process.exit(isClean ? 0 : 1)

async function replay(layer: string, file: string): Promise<boolean> {
  const target = await open(layer)
  const { problem, refused } = await runGuarded(target, await readFile(file))
  console.log(problem ?? `nothing wrong: ${refused ? 'refused' : 'accepted'}`)
  return problem === undefined
}

async function open(layer: string): Promise<Target> {
  const opener = TARGETS[layer]
  if (opener !== undefined) return opener()
  throw new Error(`no layer is called ${layer}; there are ${Object.keys(TARGETS).join(', ')}`)
}

async function fuzzAll(): Promise<boolean> {
  console.log(`SEED=${SEED}`)
  let isClean = true
  for (const name of only === undefined ? Object.keys(TARGETS) : [only]) {
    const target = await open(name)
    isClean = (await fuzzLayer(target)) && isClean
  }
  return isClean
}

async function fuzzLayer(target: Target): Promise<boolean> {
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1_000
  const isOver = (): boolean => DURATION_S > 0 && seconds() > DURATION_S
  let inputs = 0
  let refused = 0
  let baseline: number | undefined
  const wanted =
    DURATION_S > 0 ? Infinity : INPUTS === 'fixed' ? target.fixedInputs : Number(INPUTS)
  while (inputs < wanted && !isOver()) {
    const count = Math.min(BATCH, wanted - inputs)
    const report = await fuzz({ target, seed: SEED, from: inputs, inputs: count, isOver })
    inputs += report.inputs
    refused += report.refused
    if (report.failure !== undefined) return fail(target, report.failure)
    const held = heapAfterGarbage()
    baseline ??= held
    if (held > baseline + SLACK) {
      console.log(
        `${target.name}: ${held - baseline} bytes above the baseline, ${inputs} inputs in`,
      )
      return false
    }
  }
  const percent = ((100 * refused) / inputs).toFixed(1)
  const rate = Math.round(inputs / seconds())
  console.log(
    `${target.name}: ${inputs} inputs, ${rate} a second, ${percent} % refused, the rest accepted`,
  )
  return true
}

function heapAfterGarbage(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

async function fail(target: Target, failure: NonNullable<Report['failure']>): Promise<boolean> {
  const file = `fuzz-${target.name}-${SEED}-${failure.number}.txt`
  await writeFile(file, await shrink(target, failure.input))
  console.log(`${target.name}: input ${failure.number} of SEED=${SEED}: ${failure.problem}`)
  console.log(`  it is in ${file}; to run it again: npm run fuzz -- ${target.name} ${file}`)
  return false
}
