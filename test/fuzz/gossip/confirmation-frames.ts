import { signText } from '../../../node/identity/signature.ts'
import type { Dice } from '../dice.ts'
import { mutateJsonText } from '../mutate.ts'
import { HONEST, HOSTILE, VICTIM } from './names.ts'
import type { FuzzPeople } from './people.ts'

/** A confirmation of changes, or an answer to a question. */
export function confirmedFrame(dice: Dice, people: FuzzPeople, isHonest: boolean): unknown {
  const good = {
    node: HOSTILE,
    to: VICTIM,
    applied: 1,
    changes: [{ sequence: 1, tookMs: 2.5, cut: 0 }],
  }
  const signed = (text: string, by = people.hostile): unknown => [
    text,
    by.signer.identity.fingerprint,
    signText(by.key, 'confirmation', text),
  ]
  const genuine = JSON.stringify(good)
  const answer = { number: 3, about: VICTIM, changes: 2, clients: 0, applied: 1 }
  const answered = (more: object): unknown =>
    signed(JSON.stringify({ node: HOSTILE, to: VICTIM, answer: { ...answer, ...more } }))
  if (isHonest) return { confirmed: [dice.oneIn(3) ? answered({}) : signed(genuine)] }
  const forOther = JSON.stringify({ ...good, node: HONEST })
  return dice.pick<() => unknown>([
    () => ({ confirmed: [signed(forOther)] }),
    () => ({ confirmed: [signed(genuine, people.operator)] }),
    () => ({ confirmed: [[genuine, people.hostile.signer.identity.fingerprint, 'AAAA']] }),
    () => ({ confirmed: [[forOther, people.honest.signer.identity.fingerprint, 'AAAA']] }),
    () => ({ confirmed: [signed(genuine)], more: 1 }),
    () => ({ confirmed: Array.from({ length: 129 }, () => signed(genuine)) }),
    () => ({ confirmed: [signed(JSON.stringify({ ...good, applied: 0 }))] }),
    () => ({ confirmed: [signed(JSON.stringify({ ...good, to: 'beta' }))] }),
    () => ({
      confirmed: [
        signed(JSON.stringify({ ...good, changes: [{ sequence: 1, tookMs: -1, cut: 0 }] })),
      ],
    }),
    () => ({ confirmed: [signed(mutateJsonText(genuine, dice))] }),
    () => ({ confirmed: [answered({ number: 0 })] }),
    () => ({ confirmed: [answered({ changes: -1 })] }),
    () => ({ confirmed: [answered({ about: 'beta' })] }),
  ])()
}

/** A question to all nodes. */
export function questionFrame(dice: Dice, people: FuzzPeople, isHonest: boolean): unknown {
  const good = { by: HOSTILE, number: 1, about: VICTIM }
  const signed = (question: object, by = people.hostile): string[] => {
    const text = JSON.stringify(question)
    return [text, by.signer.identity.fingerprint, signText(by.key, 'question', text)]
  }
  const [text = '', certificate = ''] = signed(good)
  if (isHonest) return { ask: signed(good) }
  return dice.pick<() => unknown>([
    () => ({ ask: signed(good), more: 1 }),
    () => ({ ask: signed({ ...good, by: HONEST }) }),
    () => ({ ask: signed(good, people.operator) }),
    () => ({ ask: [text, certificate, 'AAAA'] }),
    () => ({ ask: [text, certificate] }),
    () => ({ ask: ['{bad', certificate, 'AAAA'] }),
    () => ({ ask: signed({ ...good, note: 'x'.repeat(512) }) }),
    () => ({ ask: signed({ ...good, number: 0 }) }),
    () => ({ ask: signed({ ...good, about: 'beta' }) }),
    () => ({ ask: text }),
  ])()
}

/** The word of many nodes as one: whether it holds is not for its form. */
export function tallyFrame(dice: Dice, isHonest: boolean): unknown {
  const good = [VICTIM, 1, 'abcdefABCD-_', 'A'.repeat(22)] as const
  const [to, applied, marks, tag] = good
  if (isHonest) return { tallied: dice.pick([[good], [], [[HONEST, 3, marks, tag]]]) }
  return dice.pick<unknown>([
    { tallied: [good], more: 1 },
    { tallied: Array.from({ length: 129 }, () => good) },
    { tallied: [[...good, 1]] },
    { tallied: [['alpha', applied, marks, tag]] },
    { tallied: [[to, 1.5, marks, tag]] },
    { tallied: [[to, applied, '', tag]] },
    { tallied: [[to, applied, marks.slice(1), tag]] },
    { tallied: [[to, applied, marks + marks, tag]] },
    { tallied: [[to, applied, marks, tag.slice(1)]] },
    { tallied: [[to, applied, marks, `${tag}=`]] },
    { tallied: good },
  ])
}
