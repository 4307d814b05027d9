import { parseSubject, type Source } from '../../../node/identity/names.ts'
import { encodeChange, type Change } from '../../../node/whitelist/change.ts'
import { client, grantAt, revocationAt } from '../../support/replica-changes.ts'
import type { Dice } from '../dice.ts'
import { HONEST, HOSTILE, VICTIMS_PAST } from './names.ts'
import { FRONTIERS, VICTIMS_LAST } from './past.ts'
import { certificateOf, type FuzzPeople } from './people.ts'
import { hashOf, signedValue } from './signed-value.ts'
import { lie } from './whitelist-lies.ts'

/** What a node says on the stream of the list; unless it is honest, one of its updates is a lie. */
export function whitelistFrames(dice: Dice, people: FuzzPeople, isHonest: boolean): unknown[] {
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
    } else frames.push(...lie({ dice, good, change, people, fork }))
    previous = hashOf(good)
  }
  return frames
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
