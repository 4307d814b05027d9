import { encodeChange, type Change, type ChangeId } from '../../../node/whitelist/change.ts'
import { entryHash, strayPlace } from '../../../node/whitelist/entry.ts'
import type { EntryCertificates } from '../../../node/whitelist/vouchers.ts'
import { parseSubject, type Source } from '../../../node/identity/names.ts'
import { signText } from '../../../node/identity/signature.ts'
import { client, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'
import type { Person } from '../../support/replica-people.ts'
import type { Dice } from '../dice.ts'
import { mutateJsonText } from '../mutate.ts'
import { CONTROL, HONEST, HOSTILE, STREAMS, VICTIM, VICTIMS_PAST } from './names.ts'
import { FRONTIERS, VICTIMS_LAST } from './past.ts'
import { confirmedFrame, questionFrame, tallyFrame } from './confirmation-frames.ts'
import { memberFrames } from './member-frames.ts'
import { certificateOf, type FuzzPeople } from './people.ts'
import { sayOfTrees } from './tree-frames.ts'

/**
 * What a node says that holds genuine keys: all of it signed as it must be, and in one session of
 * three something that its signature does not make true.
 */
export function sessionOf(dice: Dice, people: FuzzPeople): string {
  const liesIn = dice.pick([
    'nothing',
    'whitelist',
    'whitelist',
    'members',
    'members',
    'confirmations',
    'questions',
    'tallies',
    'trees',
    'form',
  ])
  const said = {
    control: controlFrames(dice),
    whitelist: whitelistFrames(dice, people, liesIn !== 'whitelist'),
    members: withSync(dice, memberFrames(dice, people, liesIn !== 'members')),
  }
  if (liesIn === 'trees' || dice.oneIn(4)) sayOfTrees(dice, said, liesIn !== 'trees')
  if (liesIn === 'confirmations' || dice.oneIn(4)) {
    const frame = confirmedFrame(dice, people, liesIn !== 'confirmations')
    said.whitelist.push(JSON.stringify(frame))
  }
  if (liesIn === 'questions' || dice.oneIn(4)) {
    said.whitelist.push(JSON.stringify(questionFrame(dice, people, liesIn !== 'questions')))
  }
  if (liesIn === 'tallies' || dice.oneIn(4)) {
    said.whitelist.push(JSON.stringify(tallyFrame(dice, liesIn !== 'tallies')))
  }
  if (liesIn === 'form') {
    const frames = said[dice.pick(['control', 'whitelist', 'members'] as const)]
    const at = dice.below(frames.length)
    frames[at] = mutateJsonText(frames[at] ?? '', dice)
  }
  const [hello = '', ...control] = said.control.map(text => data(CONTROL, text))
  const opening = (['whitelist', 'members'] as const).map(meta =>
    line([STREAMS[meta], 'new', { meta, opts: { writable: true, readable: true } }]),
  )
  const others = [
    control,
    said.whitelist.map(text => data(STREAMS.whitelist, text)),
    said.members.map(text => data(STREAMS.members, text)),
  ]
  const session = [hello, ...opening]
  while (others.some(frames => frames.length > 0)) {
    const next = dice.pick(others).shift()
    if (next !== undefined) session.push(next)
  }
  return session.join('')
}

function data(id: string, text: string): string {
  return line([id, 'data', `${text}\n`])
}

function controlFrames(dice: Dice): string[] {
  const events: unknown[] = [['hello', { protocol: 1, source: HOSTILE }]]
  if (dice.oneIn(2)) events.push(['beat'])
  if (dice.oneIn(6)) events.push(['bye', 'leaving', 'the node stops'])
  return events.map(event => JSON.stringify(event))
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

function withSync(dice: Dice, frames: unknown[]): string[] {
  frames.splice(1 + dice.below(frames.length), 0, 'SYNC')
  return frames.map(one => JSON.stringify(one))
}

export interface Signed {
  readonly text: string
  readonly operator: Person
  readonly node: Person
}

/** The value of an update, signed by whom one likes. */
export function signedValue({ text, operator, node }: Signed): object {
  const operatorSignature = signText(operator.key, 'change', text)
  const nodeSignature = signText(node.key, 'entry', hashOf({ text, operator, node }))
  return { change: text, ...certificatesUnder(operator, node), operatorSignature, nodeSignature }
}

function hashOf({ text, operator, node }: Signed): string {
  return entryHash(text, certificatesUnder(operator, node))
}

function certificatesUnder(operator: Person, node: Person): EntryCertificates {
  return {
    operatorCertificate: operator.signer.identity.fingerprint,
    nodeCertificate: node.signer.identity.fingerprint,
  }
}

function whitelistFrames(dice: Dice, people: FuzzPeople, isHonest: boolean): string[] {
  const { operator, hostile, stranger } = people
  const frames: unknown[] = [{ id: HOSTILE, clock: dice.pick([{}, { [HONEST]: 1 }]) }]
  if (dice.oneIn(3)) frames.push(headsFrame(dice, isHonest || dice.oneIn(2)))
  frames.push(certificateOf(operator), certificateOf(hostile))
  if (!isHonest && dice.oneIn(6)) frames.push(certificateOf(stranger))
  if (!isHonest && dice.oneIn(8)) frames.push({ ...certificateOf(people.honest), more: 1 })
  const count = dice.below(4) + (isHonest ? 0 : 1)
  const bad = isHonest ? 0 : 1 + dice.below(count)
  let previous = ''
  let fork: object | undefined
  for (let sequence = 1; sequence <= count; sequence += 1) {
    const change = { ...changeAt(dice, HOSTILE, sequence), previous }
    const good = { text: encodeChange(change), operator, node: hostile }
    if (sequence !== bad) {
      frames.push([signedValue(good), sequence, HOSTILE])
      fork = signedValue(good)
    } else frames.push(...lies(dice, good, { change, people, fork }))
    previous = hashOf(good)
  }
  return withSync(dice, frames)
}

function headsFrame(dice: Dice, isHonest: boolean): unknown {
  const good = [1, 'x'.repeat(43)]
  if (isHonest) return { heads: { [HONEST]: good } }
  return dice.pick<unknown>([
    { heads: { [HONEST]: [1.5, 'x'] } },
    { heads: { [HONEST]: [1, 'x'.repeat(65)] } },
    { heads: { [HONEST]: [...good, 1] } },
    { heads: { [HONEST]: good }, more: 1 },
    { heads: { toString: good } },
  ])
}

function changeAt(dice: Dice, source: Source, sequence: number): Change {
  const name = dice.pick(['amber', 'bella', 'carol'])
  const subject = client(name)
  const seen = dice.pick([[], FRONTIERS.get(name) ?? []])
  if (dice.oneIn(4)) {
    const terms = dice.pick([{}, { sensors: ['door'] }, { expiresAt: 1e15 }])
    return grantAt(source, sequence, { subject, terms, seen, reason: 'lent' })
  }
  if (dice.oneIn(8)) {
    const upTo = new Map(dice.pick([[], [[VICTIMS_PAST, VICTIMS_LAST] as const]]))
    const author = parseSubject(dice.pick(['operator/otto', 'operator/olga', 'node/mallory']))
    return { ...revocationAt(source, sequence, author), upTo }
  }
  return revocationAt(source, sequence, subject, seen)
}

interface Lie {
  readonly change: Change
  readonly people: FuzzPeople
  /** The value of the update before. */
  readonly fork: object | undefined
}

/** The lie that can be told in most ways. */
const SEEN_WRONGLY = 8

/** Frames instead of a good one, of which at least one ought not to be believed. */
function lies(dice: Dice, good: Signed, { change, people, fork }: Lie): unknown[] {
  const { sequence } = change
  const at = (value: object, source: Source = HOSTILE, place = sequence): unknown => [
    value,
    place,
    source,
  ]
  const stray = testSource('mallory', 0).replace('#', '#0000000000000000') as Source
  const instead = (other: Partial<Change>): string =>
    encodeChange({ ...change, ...other } as Change)
  const kind = dice.below(25)
  switch (kind < 21 ? kind : SEEN_WRONGLY) {
    case 0:
      return [at(signedValue({ ...good, operator: people.hostile }))]
    case 1:
      return [at({ ...signedValue(good), operatorSignature: 'AAAA' })]
    case 2:
      return [at(signedValue({ ...good, node: people.operator }))]
    case 3:
      return [at({ ...signedValue(good), nodeSignature: 'AAAA' })]
    case 4:
      return [at(signedValue({ ...good, text: instead({ previous: 'A'.repeat(43) }) }))]
    case 5:
      return [
        at(
          signedValue({
            ...good,
            text: instead({ sequence: sequence + 1, previous: 'A'.repeat(43) }),
          }),
          HOSTILE,
          sequence + 1,
        ),
      ]
    case 6:
      return [at(signedValue(good), HOSTILE, sequence + dice.pick([1, 9e15 - 4]))]
    case 7: {
      const source = dice.pick([VICTIM, VICTIMS_PAST, HONEST])
      const place = dice.pick([1, 2, 3, 4])
      const previous = place === 1 ? '' : 'A'.repeat(43)
      const text = instead({ source, sequence: place, previous })
      return [at(signedValue({ ...good, text }), source, place)]
    }
    case SEEN_WRONGLY: {
      // What nobody has made, or what was made of another client.
      const other = FRONTIERS.get('bella') ?? []
      const seen = dice.pick([['A'.repeat(43) as ChangeId], other])
      const { previous } = change
      const upTo = new Map([[HONEST, { sequence: 1, hash: 'A'.repeat(43) }]])
      const lie = dice.pick<Change>([
        grantAt(HOSTILE, sequence, { seen }),
        revocationAt(HOSTILE, sequence, client('amber'), seen),
        { ...revocationAt(HOSTILE, sequence, parseSubject('node/beta')), upTo },
      ])
      return [at(signedValue({ ...good, text: encodeChange({ ...lie, previous }) }))]
    }
    case 9:
      return [at({ stray: signedValue(good), ...(fork && { against: fork }) }, stray, 1)]
    case 10: {
      const other = signedValue({ ...good, text: instead({ subject: client('dora') }) })
      return [at(signedValue(good)), at(other)]
    }
    case 11: {
      const { previous } = change
      const granted = grantAt(HOSTILE, sequence, { subject: parseSubject('node/beta') })
      return [at(signedValue({ ...good, text: encodeChange({ ...granted, previous }) }))]
    }
    case 12:
      return [at(signedValue({ ...good, operator: people.stranger }))]
    case 13:
      return [at({ ...signedValue(good), more: 1 })]
    case 14:
      return [at({ ...signedValue(good), change: null })]
    case 15: {
      const value = signedValue(good) as { operatorSignature: string }
      return [at({ ...value, operatorSignature: `${value.operatorSignature}=` })]
    }
    case 16:
      return [[signedValue(good), sequence, HOSTILE, dice.pick(['', 'sig', null])]]
    case 17: {
      const proof = {
        stray: signedValue(good),
        against: signedValue({ ...good, text: instead({ subject: client('dora') }) }),
      }
      const isPlaced = dice.oneIn(2)
      const source = isPlaced ? strayPlace({ change, hash: hashOf(good) }).source : HOSTILE
      return [at({ ...proof, ...(dice.oneIn(2) && { more: 1 }) }, source, 1)]
    }
    case 18: {
      const { fingerprint } = people.renewed.signer.identity
      return [
        certificateOf(people.renewed),
        at({ ...signedValue(good), operatorCertificate: fingerprint }),
      ]
    }
    case 19: {
      const text = dice.pick([
        `${good.text} `,
        '{bad',
        good.text.replace('{', '{ '),
        good.text.replace(/}$/, ',"more":1}'),
        good.text.replace(/"seen":\[[^\]]*\]/, '"seen":["B","A"]'),
        good.text.replace(/"wish":"/, '"wish":"+'),
        good.text.replace(/("kind":"\w+"),("subject":"[^"]+")/, '$2,$1'),
      ])
      return [at(signedValue({ ...good, text }))]
    }
    default:
      // The operator's and the node's own words, and yet not what a change may say.
      return [at(signedValue({ ...good, text: mutateJsonText(good.text, dice) }))]
  }
}
