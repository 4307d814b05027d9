import test from 'ava'
import { parseName } from '../../../node/identity/names.ts'
import {
  encodeForgetting,
  forgettingSource,
  parseForgetting,
} from '../../../node/whitelist/forgetting.ts'
import { NOON, OPERATOR, testSource } from '../../support/replica-changes.ts'

/** The word of an operator that a node will not come back. */

const BETA = parseName('beta')
const FORGETTING = { name: BETA, operator: OPERATOR, at: NOON, runs: [testSource('beta')] }
const TEXT = encodeForgetting(FORGETTING)

test('a forgetting is read as it was written', t => {
  t.is(TEXT, `{"forget":"beta","operator":"olga","at":${NOON},"runs":["beta#0000000000000001"]}`)
  t.deepEqual(parseForgetting(TEXT), FORGETTING)
})

test('it stands at a place that no run has and only its text decides', t => {
  const place = forgettingSource(BETA, TEXT)
  t.regex(place, /^beta#[0-9a-f]{32}$/)
  t.not(forgettingSource(BETA, encodeForgetting({ ...FORGETTING, at: NOON + 1 })), place)
})

for (const [what, text, why] of [
  ['no text', 1, /no text/],
  ['no JSON', '{', /not JSON/],
  ['null', 'null', /no object/],
  ['of nobody', '{"forget":"..","operator":"olga","at":1,"runs":[]}', /names nobody/],
  ['of no time', '{"forget":"b","operator":"olga","at":-1,"runs":[]}', /names nobody/],
  ['without runs', '{"forget":"b","operator":"olga","at":1}', /no runs/],
  ['with runs of another node', TEXT.replace('"beta"', '"gamma"'), /of another node/],
  ['with more in it', `${TEXT.slice(0, -1)},"more":1}`, /not canonical/],
  ['too long', ' '.repeat(10_000), /no text/],
] as const) {
  test(`a forgetting ${what} is refused`, t => {
    const parsed = parseForgetting(text)
    t.regex(typeof parsed === 'string' ? parsed : '', why)
  })
}
