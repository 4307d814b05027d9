import { encodeChange, entryHash, type Change } from '../../../node/whitelist/change.ts'
import type { Source } from '../../../node/names.ts'
import { signText } from '../../../node/whitelist/signature.ts'
import { client, grantAt, revocationAt, testSource } from '../../support/replica-changes.ts'
import type { Person } from '../../support/replica-people.ts'
import type { Dice } from '../dice.ts'
import { mutateJsonText } from '../mutate.ts'
import { CONTROL, HONEST, HOSTILE, STREAMS, VICTIM, VICTIMS_PAST } from './names.ts'
import type { FuzzPeople } from './people.ts'

/**
 * What a node says that holds genuine keys: all of it signed as it must be, and in one session of
 * three something that its signature does not make true.
 */
export function sessionOf(dice: Dice, people: FuzzPeople): string {
  const isHonest = !dice.oneIn(3)
  const streams = [
    [
      frame(CONTROL, 'data', line(['hello', { protocol: 1, source: HOSTILE }])),
      ...[STREAMS.whitelist, STREAMS.members].map((id, index) =>
        frame(id, 'new', {
          meta: ['whitelist', 'members'][index],
          opts: { writable: true, readable: true },
        }),
      ),
    ],
    onStream(STREAMS.whitelist, whitelistFrames(dice, people, isHonest)),
    onStream(STREAMS.members, memberFrames(dice, people, isHonest)),
    dice.oneIn(2) ? [frame(CONTROL, 'data', line(['beat']))] : [],
  ]
  const [opening = [], ...others] = streams
  const said = [...opening]
  while (others.some(frames => frames.length > 0)) {
    const next = dice.pick(others).shift()
    if (next !== undefined) said.push(next)
  }
  return said.join('')
}

function frame(id: string, kind: string, payload: unknown): string {
  return line([id, kind, payload])
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

function onStream(id: string, frames: readonly unknown[]): string[] {
  return frames.map(one => frame(id, 'data', line(one)))
}

function certificateOf({ signer }: Person): object {
  return { certificate: signer.chain }
}

function withSync(dice: Dice, frames: unknown[]): unknown[] {
  frames.splice(1 + dice.below(frames.length), 0, 'SYNC')
  return frames
}

export interface Signed {
  readonly text: string
  readonly previous: string
  readonly operator: Person
  readonly node: Person
}

/** The value of an update, signed by whom one likes. */
export function signedValue({ text, previous, operator, node }: Signed): object {
  return {
    change: text,
    previous,
    operatorCertificate: operator.signer.identity.fingerprint,
    operatorSignature: signText(operator.key, 'change', text),
    nodeCertificate: node.signer.identity.fingerprint,
    nodeSignature: signText(node.key, 'entry', entryHash(previous, text)),
  }
}

function whitelistFrames(dice: Dice, people: FuzzPeople, isHonest: boolean): unknown[] {
  const { operator, hostile, stranger } = people
  const frames: unknown[] = [{ id: HOSTILE, clock: dice.pick([{}, { [HONEST]: 1 }]) }]
  if (dice.oneIn(3)) frames.push({ heads: { [HONEST]: [1, 'x'.repeat(43)] } })
  frames.push(certificateOf(operator), certificateOf(hostile))
  if (!isHonest && dice.oneIn(6)) frames.push(certificateOf(stranger))
  const bad = isHonest ? -1 : dice.below(3)
  let previous = ''
  let fork: object | undefined
  for (let sequence = 1; sequence <= dice.pick([0, 1, 2, 3, 4]); sequence += 1) {
    const change = changeAt(dice, HOSTILE, sequence)
    const good = { text: encodeChange(change), previous, operator, node: hostile }
    if (sequence - 1 !== bad) {
      frames.push([signedValue(good), sequence, HOSTILE])
      fork = signedValue(good)
    } else frames.push(...lies(dice, good, { change, people, fork }))
    previous = entryHash(previous, good.text)
  }
  return withSync(dice, frames)
}

function changeAt(dice: Dice, source: Source, sequence: number): Change {
  const subject = client(dice.pick(['amber', 'bella', 'carol']))
  if (dice.oneIn(4)) {
    const terms = dice.pick([{}, { sensors: ['door'] }, { expiresAt: 1e15 }])
    const seen = dice.pick([[], [[VICTIMS_PAST, 2] as const], [[HONEST, 1] as const]])
    return grantAt(source, sequence, { subject, terms, seen, reason: 'lent' })
  }
  return revocationAt(source, sequence, subject)
}

interface Lie {
  readonly change: Change
  readonly people: FuzzPeople
  /** The value of the update before. */
  readonly fork: object | undefined
}

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
  switch (dice.below(14)) {
    case 0:
      return [at(signedValue({ ...good, operator: people.hostile }))]
    case 1:
      return [at({ ...signedValue(good), operatorSignature: 'AAAA' })]
    case 2:
      return [at(signedValue({ ...good, node: people.operator }))]
    case 3:
      return [at({ ...signedValue(good), nodeSignature: 'AAAA' })]
    case 4:
      return [at(signedValue({ ...good, previous: 'A'.repeat(43) }))]
    case 5:
      return [
        at(
          signedValue({ ...good, text: instead({ sequence: sequence + 1 }) }),
          HOSTILE,
          sequence + 1,
        ),
      ]
    case 6:
      return [at(signedValue(good), HOSTILE, sequence + dice.pick([1, 9e15 - 4]))]
    case 7: {
      const source = dice.pick([VICTIM, VICTIMS_PAST, HONEST])
      const place = dice.pick([1, 2, 3, 4])
      return [
        at(signedValue({ ...good, text: instead({ source, sequence: place }) }), source, place),
      ]
    }
    case 8: {
      const seen = new Map([[dice.pick([HONEST, VICTIM, HOSTILE]), dice.pick([1, 7, 9e15])]])
      const text = encodeChange(grantAt(HOSTILE, sequence, { seen }))
      return [at(signedValue({ ...good, text }))]
    }
    case 9:
      return [at({ stray: signedValue(good), ...(fork && { against: fork }) }, stray, 1)]
    case 10: {
      const other = signedValue({ ...good, text: instead({ subject: client('dora') }) })
      return [at(signedValue(good)), at(other)]
    }
    case 11: {
      const granted = grantAt(HOSTILE, sequence, { subject: 'node/beta' as Change['subject'] })
      return [at(signedValue({ ...good, text: encodeChange(granted) }))]
    }
    case 12:
      return [at(signedValue({ ...good, operator: people.stranger }))]
    default:
      // The operator's and the node's own words, and yet not what a change may say.
      return [at(signedValue({ ...good, text: mutateJsonText(good.text, dice) }))]
  }
}

const MEMBER = {
  name: 'mallory',
  source: HOSTILE,
  addresses: ['mallory:1'],
  version: '0.1.0',
  startedAt: 1,
  links: [VICTIM],
  changes: 2,
  certificateRenewFrom: 3,
  certificateEndsAt: 4,
  clients: 0,
  applied: { [HONEST]: 1 },
  confirmations: [{ source: HONEST, sequence: 1, tookMs: 2.5, cut: 0 }],
}

function memberFrames(dice: Dice, people: FuzzPeople, isHonest: boolean): unknown[] {
  const frames: unknown[] = [{ id: HOSTILE, clock: {} }, certificateOf(people.hostile)]
  for (let sequence = 1; sequence <= dice.below(4); sequence += 1) {
    frames.push(memberUpdate(dice, people, isHonest || dice.oneIn(2) ? sequence : -sequence))
  }
  return withSync(dice, frames)
}

/** @param sequence negative for an update that ought not to be believed */
function memberUpdate(dice: Dice, people: FuzzPeople, sequence: number): unknown {
  const place = Math.abs(sequence)
  const plain = JSON.stringify({ ...MEMBER, clients: place })
  const sign = ({ key, signer }: Person, member: string, at = place): object => ({
    member,
    certificate: signer.identity.fingerprint,
    signature: signText(key, 'member', `${at}\n${member}`),
  })
  if (sequence > 0) return [sign(people.hostile, plain), place, HOSTILE]
  switch (dice.below(7)) {
    case 0:
      return [sign(people.operator, plain), place, HOSTILE]
    case 1:
      return [{ ...sign(people.hostile, plain), signature: 'AAAA' }, place, HOSTILE]
    case 2:
      return [sign(people.hostile, plain, place + 1), place, HOSTILE]
    case 3: {
      const [source, name] = dice.pick([
        [HONEST, 'beta'],
        [VICTIM, 'alpha'],
      ] as const)
      const text = JSON.stringify({ ...MEMBER, source, name })
      return [sign(people.hostile, text), 1e6, source]
    }
    case 4: {
      const links = Array.from({ length: dice.pick([1_024, 1_025]) }, () => HONEST)
      return [sign(people.hostile, JSON.stringify({ ...MEMBER, links })), place, HOSTILE]
    }
    case 5:
      return [sign(people.hostile, plain), place, testSource('mallory', 9)]
    default:
      return [sign(people.hostile, mutateJsonText(plain, dice)), place, HOSTILE]
  }
}
