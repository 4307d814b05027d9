import test from 'ava'
import type { Member } from '../../../node/gossip/member.ts'
import { parseName, parseSubject, sourceOf, type Name } from '../../../node/identity/names.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { assertReadByAll } from '../../../node/operators/readers.ts'
import { READS_VERSION } from '../../../node/whitelist/change.ts'

const ORIGIN = parseSubject('origin/https://shop.example')
const OLD = parseName('old')

function member(name: Name, reads?: number): Member {
  return { name, ...(reads !== undefined && { reads }) } as Member
}

function cluster(of: { live?: Member[]; away?: [Name, Member | undefined][]; left?: Member[] }) {
  const { live = [], away = [], left = [] } = of
  return {
    live: () => new Map(live.map(one => [sourceOf(one.name, '0'.repeat(16)), one])),
    unreachable: () => new Map(away),
    left: () => new Map(left.map(one => [one.name, one])),
  }
}

test('an origin is not granted while a node that is known cannot read that, wherever it is', t => {
  const current = member(parseName('node-1'), READS_VERSION)
  for (const members of [
    cluster({ live: [current, member(OLD)] }),
    cluster({ live: [current], away: [[OLD, member(OLD, 2)]] }),
    cluster({ live: [current], away: [[OLD, undefined]] }),
    cluster({ live: [current], left: [member(OLD)] }),
  ]) {
    const error = t.throws(() => assertReadByAll({ kind: 'grant', subject: ORIGIN }, members), {
      instanceOf: FridgeError,
    })
    t.is(error.code, 'ERR_REFUSED')
    t.regex(error.message, /node\/old/)
    t.regex(error.fix ?? '', /fridge node forget old/)
    t.notThrows(() =>
      assertReadByAll({ kind: 'grant', subject: parseSubject('client/c1') }, members),
    )
  }
  t.notThrows(() =>
    assertReadByAll({ kind: 'grant', subject: ORIGIN }, cluster({ live: [current] })),
  )
})

test('no node that says it is old keeps a removal back', t => {
  const members = cluster({ live: [member(OLD)] })
  t.notThrows(() => assertReadByAll({ kind: 'revocation', subject: ORIGIN }, members))
})

test('a grant with views waits for nodes that read origins and nothing later, and one without does not', t => {
  const members = cluster({ live: [member(OLD, 3)] })
  const subject = parseSubject('client/phone')
  const grant = { kind: 'grant', subject } as const
  t.throws(() => assertReadByAll({ ...grant, terms: { views: ['fleet'] } }, members), {
    message: /node\/old is of an older version/,
  })
  t.notThrows(() => assertReadByAll({ ...grant, terms: {} }, members))
})
