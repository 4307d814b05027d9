import { hunt, type Hunt } from './planted.ts'
import { PLANTS } from './plants.ts'
import type { Plant } from './plants/plant.ts'

/** `npm run fuzz:planted`: plant each bug, alone, and see the fuzzers find it. SEED=n as elsewhere. */
const SEED = Number(process.env['SEED'] ?? 1)
const ONLY = process.argv[2] ?? ''
const WORKERS = 2

/** How many seeds a bug may take, one after the other: some need what chance builds rarely. */
const ROUNDS = 8

const waiting = PLANTS.filter(({ name, layer }) => `${layer}: ${name}`.includes(ONLY))
const count = waiting.length
let found = 0
const work = async (): Promise<void> => {
  for (let plant = waiting.shift(); plant !== undefined; plant = waiting.shift()) {
    const { isFound, output } = await huntWithin(plant)
    if (isFound) found += 1
    else console.log(`NOT FOUND in ${plant.layer}: ${plant.name}\n${output}`)
  }
}
async function huntWithin(plant: Plant): Promise<Hunt> {
  for (let round = 1; ; round += 1) {
    const outcome = await hunt(plant, SEED + round - 1)
    if (outcome.isFound || round === ROUNDS) return outcome
  }
}

await Promise.all(Array.from({ length: WORKERS }, work))
console.log(`${found} of ${count} planted bugs found`)
process.exitCode = found === count ? 0 : 1
