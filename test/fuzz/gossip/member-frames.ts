import type { Source } from '../../../node/identity/names.ts'
import { signText } from '../../../node/identity/signature.ts'
import { testSource } from '../../support/replica-changes.ts'
import type { Person } from '../../support/replica-people.ts'
import type { Dice } from '../dice.ts'
import { mutateJsonText } from '../mutate.ts'
import { HONEST, HOSTILE, VICTIM } from './names.ts'
import { certificateOf, type FuzzPeople } from './people.ts'

/** What a node says of itself, by the part that it stands in. */
const WORDS = {
  profile: { addresses: ['mallory:1'], version: '0.1.0', startedAt: 1 },
  state: { saidAt: 3, links: [VICTIM] },
  vitals: { temperature: 4.5 },
} as const

type Part = keyof typeof WORDS

const PARTS: readonly Part[] = ['profile', 'state', 'vitals']

/** What a session says in *members*, but for the end of it. */
export function memberFrames(dice: Dice, people: FuzzPeople, isHonest: boolean): unknown[] {
  const frames: unknown[] = [{ id: HOSTILE, clock: {} }, certificateOf(people.hostile)]
  if (!isHonest && dice.oneIn(4)) frames.push(certificateOf(people.operator))
  const count = dice.below(4)
  for (let sequence = 1; sequence <= count; sequence += 1) {
    frames.push(memberUpdate(people, { sequence, part: dice.pick(PARTS) }))
  }
  if (isHonest ? dice.oneIn(4) : dice.oneIn(8)) sayBuckets(dice, frames, isHonest)
  else if (!isHonest) frames.splice(2 + dice.below(count + 1), 0, memberLie(dice, people))
  return frames
}

/** Say buckets before the digest, or as they must not be said. */
function sayBuckets(dice: Dice, frames: unknown[], isHonest: boolean): void {
  const buckets = 'Az-_'.repeat(4 * 2 ** dice.below(5))
  if (isHonest) return void frames.unshift({ buckets })
  switch (dice.below(5)) {
    case 0:
      return void frames.unshift({ buckets }, { buckets })
    case 1:
      return void frames.push({ buckets })
    case 2:
      return void frames.unshift({ buckets, more: 1 })
    case 3:
      return void frames.splice(0, 1, { id: HOSTILE, clock: {}, same: dice.pick(['', 'f', 1]) })
    default:
      frames.unshift({
        buckets: dice.pick([1, '', 'x', 'A'.repeat(48), '='.repeat(16), 'A'.repeat(32_768)]),
      })
  }
}

interface MemberFields {
  readonly sequence: number
  readonly part?: Part
  readonly by?: Person
  readonly run?: Source
  /** What its signature is over, where that is another one. */
  readonly signedAt?: { readonly place?: string; readonly sequence?: number }
  readonly text?: string
}

function placeOf(run: Source, part: Part): string {
  return part === 'profile' ? run : `${run}.${part}`
}

function memberUpdate(people: FuzzPeople, fields: MemberFields): unknown[] {
  const { sequence, part = 'state', by = people.hostile, run = HOSTILE, signedAt = {} } = fields
  const { text = JSON.stringify(WORDS[part]) } = fields
  const place = placeOf(run, part)
  const signed = `${signedAt.place ?? place} ${signedAt.sequence ?? sequence}\n${text}`
  const value = {
    member: text,
    certificate: by.signer.identity.fingerprint,
    signature: signText(by.key, 'member', signed),
  }
  return [value, sequence, place]
}

/** An update of *members* that ought not to be believed. */
function memberLie(dice: Dice, people: FuzzPeople): unknown {
  const sequence = 5
  const part = dice.pick(PARTS)
  switch (dice.below(16)) {
    case 0:
      return memberUpdate(people, { sequence, part, by: people.operator })
    case 1:
      return memberUpdate(people, { sequence, part, signedAt: { sequence: 6 } })
    case 2:
      return memberUpdate(people, { sequence, part, run: dice.pick([HONEST, VICTIM]) })
    case 3: {
      // The words of one part, or of one run, as those of another.
      const place = dice.pick([
        placeOf(HOSTILE, 'profile'),
        placeOf(testSource('mallory', 9), part),
      ])
      const text = JSON.stringify({ ...WORDS.profile, ...WORDS.state })
      return memberUpdate(people, { sequence, text, signedAt: { place } })
    }
    case 4:
      return memberUpdate(people, { sequence: dice.pick([0, -1, 1.5, 2 ** 53]), part })
    case 5:
      return [...memberUpdate(people, { sequence, part }), ...dice.pick([[1], [1, 2]])]
    case 6:
      // What is known already, with more to it.
      return [...memberUpdate(people, { sequence: 1, part: 'profile', run: VICTIM }), 1, 2]
    case 7:
      return memberUpdate(people, {
        sequence,
        part,
        text: mutateJsonText(JSON.stringify(WORDS[part]), dice),
      })
    case 8: {
      const stray = `mallory#${'0'.repeat(32)}`
      const place = dice.pick([stray, stray, `${stray}.state`, `${HOSTILE}.mood`])
      const said = { sequence, part: 'profile', signedAt: { place } } as const
      const [value] = memberUpdate(people, said)
      return [value, sequence, place]
    }
    default:
      return memberUpdate(people, { sequence, ...wrongWords(dice) })
  }
}

function wrongWords(dice: Dice): { readonly part: Part; readonly text: string } {
  if (dice.oneIn(12)) return { part: dice.pick(PARTS), text: '{bad' }
  const many = (count: number, one: unknown): unknown[] => Array.from({ length: count }, () => one)
  const wrong: readonly (readonly [Part, object])[] = [
    ['profile', { version: '9'.repeat(65) }],
    ['profile', { version: 9 }],
    ['profile', { addresses: many(9, 'mallory:1') }],
    ['profile', { addresses: ['mallory'] }],
    ['profile', { startedAt: -1 }],
    ['profile', { tallyKey: 'A'.repeat(42) }],
    ['profile', { tallyKey: 1 }],
    ['state', { links: many(1_025, HONEST) }],
    ['state', { links: ['x'] }],
    ['state', { links: [`${HONEST}.state`] }],
    ['state', { saidAt: null }],
    ['state', { saidAt: 1.5 }],
    ['vitals', { note: 'x'.repeat(1_024) }],
  ]
  const [part, words] = dice.pick(wrong)
  return { part, text: JSON.stringify({ ...WORDS[part], ...words }) }
}
