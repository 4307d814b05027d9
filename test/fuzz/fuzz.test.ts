import test from 'ava'
import { fuzz, runGuarded } from './fuzz.ts'
import { readCorpus } from './corpus.ts'
import { hunt } from './planted.ts'
import { PLANTS } from './plants.ts'
import { TARGETS } from './targets.ts'

/** `SEED=n` for other inputs; millions of them: `npm run fuzz`. */
const SEED = Number(process.env['SEED'] ?? 1)

/** Inputs a layer in every run of the tests; `.ci/run` fuzzes each for seconds besides. */
const INPUTS = 500

for (const [name, open] of Object.entries(TARGETS)) {
  test.serial(
    `${name}: whatever a peer sends, it is obeyed or cut, and nobody else is harmed`,
    async t => {
      const target = await open()
      const { accepted, refused, failure } = await fuzz({ target, seed: SEED, inputs: INPUTS })
      t.is(failure?.problem, undefined, `SEED=${SEED}: ${failure?.input.toString('latin1')}`)
      t.is(accepted + refused, INPUTS)
      // A fuzzer that is refused at the door, or never, finds nothing.
      t.true(accepted > INPUTS / 20 && refused > INPUTS / 20, `${accepted} accepted`)
    },
  )

  test.serial(
    `${name}: the valid sessions of the corpus are accepted, the crashes are refused`,
    async t => {
      const target = await open()
      for (const { file, bytes } of readCorpus(name)) {
        const { refused, problem } = await runGuarded(target, bytes)
        t.is(problem, undefined, file)
        if (/^(?:valid|crash|stall)-/.test(file)) t.is(refused, !file.startsWith('valid-'), file)
      }
    },
  )
}

for (const plant of PLANTS.filter(({ isSample }) => isSample)) {
  test(`${plant.layer}: a planted bug is found (${plant.name})`, async t => {
    const { isFound, output } = await hunt(plant)
    t.true(isFound, output)
  })
}
