import test from 'ava'
import { fuzz } from './fuzz.ts'
import { FIXED_INPUTS, hunt } from './planted.ts'
import { PLANTS } from './plants.ts'
import { TARGETS } from './targets.ts'

/** `SEED=n` for other inputs; millions of them: `npm run fuzz`. */
const SEED = Number(process.env['SEED'] ?? 1)

for (const [name, open] of Object.entries(TARGETS)) {
  test(`${name}: whatever a peer sends, it is cut or obeyed, and nobody else is harmed`, async t => {
    const target = await open()
    const { inputs, accepted, refused, failure } = await fuzz({
      target,
      seed: SEED,
      inputs: FIXED_INPUTS,
    })
    t.is(failure?.problem, undefined, `SEED=${SEED}: ${failure?.input.toString('latin1')}`)
    t.is(inputs, FIXED_INPUTS)
    // A fuzzer that is refused at the door, or never, finds nothing.
    t.true(accepted > inputs / 20 && refused > inputs / 20)
    await target.close?.()
  })
}

for (const plant of PLANTS.filter(({ isSample }) => isSample)) {
  test(`${plant.layer}: a planted bug is found (${plant.name})`, async t => {
    const { isFound, output } = await hunt(plant)
    t.true(isFound, output)
  })
}
