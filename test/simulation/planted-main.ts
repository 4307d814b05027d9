import { hunt } from './planted.ts'
import { CLUSTER_PLANTS } from './cluster/plants.ts'
import { NEWCOMER_PLANTS } from './newcomers/plants.ts'
import { PLANTS } from './plants.ts'

/** `npm run simulate:planted [-- NAME]`: plant each bug, alone, and see the schedules of `npm test` find it. */
const SCHEDULES = 100
const ONLY = process.argv[2] ?? ''

const plants = [...PLANTS, ...CLUSTER_PLANTS, ...NEWCOMER_PLANTS].filter(({ name }) =>
  name.includes(ONLY),
)
let found = 0
for (const plant of plants) {
  const { seed, output } = await hunt(plant, SCHEDULES)
  if (seed === undefined) console.log(`NOT FOUND: ${plant.name}\n${output}`)
  else console.log(`${plant.name}: SEED=${seed}`)
  if (seed !== undefined) found += 1
}
console.log(`${found} of ${plants.length} planted bugs found`)
process.exitCode = found === plants.length ? 0 : 1
