import { encodeChange, type Change, type ChangeId } from '../../../node/whitelist/change.ts'
import { strayPlace } from '../../../node/whitelist/entry.ts'
import { parseSubject, type Source } from '../../../node/identity/names.ts'
import { client, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'
import type { Dice } from '../dice.ts'
import { mutateJsonText } from '../mutate.ts'
import { HONEST, HOSTILE, VICTIM, VICTIMS_PAST } from './names.ts'
import { FRONTIERS } from './past.ts'
import { certificateOf, type FuzzPeople } from './people.ts'
import { hashOf, signedValue, type Signed } from './signed-value.ts'

/** The truth in the place of which a lie is told. */
interface Truth {
  readonly dice: Dice
  readonly good: Signed
  readonly change: Change
  readonly people: FuzzPeople
  /** The value of the update before. */
  readonly fork: object | undefined
}

/** Frames of which at least one ought not to be believed. */
type Lie = (truth: Truth) => unknown[]

const NO_HASH = 'A'.repeat(43)
const STRAY = testSource('mallory', 0).replace('#', '#0000000000000000') as Source

/** An update, where nothing else is said at the place of the truth. */
function at(
  { change: { sequence } }: Truth,
  value: object,
  source: Source = HOSTILE,
  place = sequence,
): unknown {
  return [value, place, source]
}

/** The truth with other words, signed as it must be. */
function reworded({ good, change }: Truth, other: Partial<Change>): object {
  return signedValue({ ...good, text: encodeChange({ ...change, ...other } as Change) })
}

const seenWrongly: Lie = truth => {
  const { dice, good, change } = truth
  const { sequence, previous } = change
  // What nobody has made, or what was made of another client.
  const other = FRONTIERS.get('bella') ?? []
  const seen = dice.pick([[NO_HASH as ChangeId], other])
  const upTo = new Map([[HONEST, { sequence: 1, hash: NO_HASH }]])
  const lying = dice.pick<Change>([
    grantAt(HOSTILE, sequence, { seen }),
    revocationAt(HOSTILE, sequence, client('amber'), seen),
    { ...revocationAt(HOSTILE, sequence, parseSubject('node/beta')), upTo },
  ])
  return [at(truth, signedValue({ ...good, text: encodeChange({ ...lying, previous }) }))]
}

/** All that can be wrong with an update, each told as often as the others. */
const LIES: readonly Lie[] = [
  truth => [at(truth, signedValue({ ...truth.good, operator: truth.people.hostile }))],
  truth => [at(truth, { ...signedValue(truth.good), operatorSignature: 'AAAA' })],
  truth => [at(truth, signedValue({ ...truth.good, node: truth.people.operator }))],
  truth => [at(truth, { ...signedValue(truth.good), nodeSignature: 'AAAA' })],
  truth => [at(truth, reworded(truth, { previous: NO_HASH }))],
  truth => {
    const sequence = truth.change.sequence + 1
    return [at(truth, reworded(truth, { sequence, previous: NO_HASH }), HOSTILE, sequence)]
  },
  truth => {
    const ahead = truth.dice.pick([1, 9e15 - 4])
    return [at(truth, signedValue(truth.good), HOSTILE, truth.change.sequence + ahead)]
  },
  truth => {
    const source = truth.dice.pick([VICTIM, VICTIMS_PAST, HONEST])
    const sequence = truth.dice.pick([1, 2, 3, 4])
    const previous = sequence === 1 ? '' : NO_HASH
    return [at(truth, reworded(truth, { source, sequence, previous }), source, sequence)]
  },
  seenWrongly,
  truth => {
    const { good, fork } = truth
    return [at(truth, { stray: signedValue(good), ...(fork && { against: fork }) }, STRAY, 1)]
  },
  truth => {
    const other = reworded(truth, { subject: client('dora') })
    return [at(truth, signedValue(truth.good)), at(truth, other)]
  },
  truth => {
    const { sequence, previous } = truth.change
    const granted = grantAt(HOSTILE, sequence, { subject: parseSubject('node/beta') })
    const text = encodeChange({ ...granted, previous })
    return [at(truth, signedValue({ ...truth.good, text }))]
  },
  truth => [at(truth, signedValue({ ...truth.good, operator: truth.people.stranger }))],
  truth => [at(truth, { ...signedValue(truth.good), more: 1 })],
  truth => [at(truth, { ...signedValue(truth.good), change: null })],
  truth => {
    const value = signedValue(truth.good) as { operatorSignature: string }
    return [at(truth, { ...value, operatorSignature: `${value.operatorSignature}=` })]
  },
  ({ dice, good, change: { sequence } }) => [
    [signedValue(good), sequence, HOSTILE, dice.pick(['', 'sig', null])],
  ],
  truth => {
    const { dice, good, change } = truth
    const against = reworded(truth, { subject: client('dora') })
    const source = dice.oneIn(2) ? strayPlace({ change, hash: hashOf(good) }).source : HOSTILE
    const more = dice.oneIn(2) && { more: 1 }
    return [at(truth, { stray: signedValue(good), against, ...more }, source, 1)]
  },
  truth => {
    const { renewed } = truth.people
    const operatorCertificate = renewed.signer.identity.fingerprint
    return [certificateOf(renewed), at(truth, { ...signedValue(truth.good), operatorCertificate })]
  },
  truth => {
    const { dice, good } = truth
    const text = dice.pick([
      `${good.text} `,
      '{bad',
      good.text.replace('{', '{ '),
      good.text.replace(/}$/, ',"more":1}'),
      good.text.replace(/"seen":\[[^\]]*\]/, '"seen":["B","A"]'),
      good.text.replace(/"wish":"/, '"wish":"+'),
      good.text.replace(/("kind":"\w+"),("subject":"[^"]+")/, '$2,$1'),
    ])
    return [at(truth, signedValue({ ...good, text }))]
  },
  // The operator's and the node's own words, and yet not what a change may say.
  truth => {
    const { dice, good } = truth
    return [at(truth, signedValue({ ...good, text: mutateJsonText(good.text, dice) }))]
  },
]

/** How many more times the lie is told that can be told in most ways. */
const SEEN_WRONGLY_MORE = 4

/** Frames instead of a good one, of which at least one ought not to be believed. */
export function lie(truth: Truth): unknown[] {
  const kind = truth.dice.below(LIES.length + SEEN_WRONGLY_MORE)
  return (LIES[kind] ?? seenWrongly)(truth)
}
