import { randomBytes } from 'node:crypto'
import test from 'ava'
import {
  createAuthority,
  openAuthority,
  type Authority,
} from '../../../node/authority/authority.ts'
import { createIssuer } from '../../../node/authority/issuer.ts'
import {
  follow,
  MAX_STATEMENTS,
  parseStatements,
  succession,
  textOfStatements,
  withdrawal,
  type Statement,
} from '../../../node/authority/succession.ts'
import { DAY_MS } from '../../../node/authority/validity.ts'
import { parseName } from '../../../node/identity/names.ts'
import { signText } from '../../../node/identity/signature.ts'

const NOW = Date.parse('2026-07-01T00:00:00Z')

async function makeAuthority(commonName: string, days = 3650): Promise<Authority> {
  const options = { trustDomain: 'test.fridge', commonName, days, now: NOW, random: randomBytes }
  return openAuthority(await createAuthority(options), commonName)
}

const [first, second, third, stranger] = await Promise.all(
  ['first', 'second', 'third', 'stranger'].map(async name => makeAuthority(name)),
).then(([a, b, c, d]) => [a, b, c, d] as [Authority, Authority, Authority, Authority])

/** Whom those who trust the first authority trust when a node shows all of them. */
function heard(statements: readonly Statement[], now = NOW): string[] {
  const offered = [first, second, third, stranger].map(({ certificate }) => certificate)
  const { trusted, withdrawn } = follow([first.certificate], offered, statements, now)
  const nameOf = ({ subject }: { readonly subject: string }): string => subject.slice('CN='.length)
  return [...trusted.map(nameOf), ...withdrawn.map(one => `no more ${nameOf(one)}`)]
}

test('an authority is followed to its successors, and is let go when they end it', t => {
  const toSecond = succession(first, second.certificate, NOW)
  const toThird = succession(second, third.certificate, NOW)
  t.deepEqual(heard([]), ['first'])
  t.deepEqual(heard([toSecond]), ['first', 'second'])
  t.deepEqual(heard([toSecond, toThird]), ['first', 'second', 'third'])
  const ended = withdrawal(second, first.certificate)
  t.deepEqual(heard([toSecond, ended]), ['second', 'no more first'])
  t.deepEqual(heard([toSecond, ended, toThird]), ['second', 'third', 'no more first'])
})

test('a successor counts for ninety days, while the authority holds, and where it is shown', async t => {
  const toSecond = succession(first, second.certificate, NOW)
  t.deepEqual(heard([toSecond], NOW + 90 * DAY_MS - 1), ['first', 'second'])
  t.deepEqual(heard([toSecond], NOW + 90 * DAY_MS), ['first'])
  t.is(follow([first.certificate], [], [toSecond], NOW).trusted.length, 1)
  const brief = await makeAuthority('brief', 1)
  const toBrief = succession(first, brief.certificate, NOW)
  const after = NOW + 2 * DAY_MS
  t.is(follow([first.certificate], [brief.certificate], [toBrief], NOW).trusted.length, 2)
  t.is(follow([first.certificate], [brief.certificate], [toBrief], after).trusted.length, 1)
  const byBrief = succession(brief, second.certificate, after)
  t.is(follow([brief.certificate], [second.certificate], [byBrief], after).trusted.length, 1)
})

test('attack: nobody but an authority that is trusted names one, or ends one', async t => {
  const issuing = openAuthority(
    await createIssuer({ authority: first, node: parseName('a'), now: NOW, random: randomBytes }),
    'issuing',
  )
  const { text } = succession(first, stranger.certificate, NOW)
  const as = (authority: Authority): Statement =>
    succession(
      { privateKey: authority.privateKey, certificate: first.certificate },
      stranger.certificate,
      NOW,
    )
  const cases: [string, Statement][] = [
    ['a stranger for itself', succession(stranger, stranger.certificate, NOW)],
    ['a stranger in the name of the authority', as(stranger)],
    ['an issuing key in the name of the authority', as(issuing)],
    ['an issuing key for itself', succession(issuing, stranger.certificate, NOW)],
    ['no signature', { text, signature: '' }],
    ['one of another kind', { text, signature: signText(first.privateKey, 'change', text) }],
    ['one over other words', { text: `${text} `, signature: as(first).signature }],
    ['a stranger ends the authority', withdrawal(stranger, first.certificate)],
    ['an authority ends itself', withdrawal(first, first.certificate)],
    ['one that is not followed ends it', withdrawal(second, first.certificate)],
    [
      'words that are none',
      { text: '[]', signature: signText(first.privateKey, 'succession', '[]') },
    ],
    ['no JSON', { text: '{', signature: signText(first.privateKey, 'succession', '{') }],
  ]
  for (const [whose, statement] of cases) t.deepEqual(heard([statement]), ['first'], whose)
  // The issuing key is an authority to OpenSSL, and is nobody to follow.
  const offered = [issuing.certificate, stranger.certificate]
  const named = succession(first, issuing.certificate, NOW)
  t.is(follow([first.certificate], offered, [named], NOW).trusted.length, 1)
})

test('what was ended cannot name another one behind that, and statements count in their order', t => {
  const toSecond = succession(first, second.certificate, NOW)
  const ended = withdrawal(second, first.certificate)
  const late = succession(first, stranger.certificate, NOW)
  t.deepEqual(heard([toSecond, ended, late]), ['second', 'no more first'])
  t.deepEqual(heard([ended, toSecond]), ['first', 'second'])
})

test('attack: an authority is ended by one that it has named, and by no other that is trusted beside it', t => {
  const known = [first, second, stranger].map(({ certificate }) => certificate)
  const trusted = (...statements: Statement[]): number =>
    follow(known, known, statements, NOW + 91 * DAY_MS).trusted.length
  // As a thief of the old key would, where a device was brought both by hand.
  t.is(trusted(withdrawal(first, second.certificate)), 3)
  t.is(trusted(withdrawal(stranger, second.certificate)), 3)
  const backwards = succession(first, second.certificate, NOW)
  t.is(trusted(backwards, withdrawal(first, second.certificate)), 3)
  // Whom it has named too long ago to be believed now still ends it.
  t.is(trusted(backwards, withdrawal(second, first.certificate)), 2)
})

test('two rotations that a device has slept through are followed while all three are shown, and not past one that is not', t => {
  const statements = [
    succession(first, second.certificate, NOW),
    withdrawal(second, first.certificate),
    succession(second, third.certificate, NOW + 10 * DAY_MS),
    withdrawal(third, second.certificate),
  ]
  const now = NOW + 20 * DAY_MS
  t.deepEqual(heard(statements, now), ['third', 'no more first', 'no more second'])
  const newest = follow([first.certificate], [third.certificate], statements, now)
  t.deepEqual(newest, { trusted: [first.certificate], withdrawn: [] })
  // What was said in an older rotation brings nothing back.
  const older = statements.slice(0, 1)
  const offered = [first, second, third].map(({ certificate }) => certificate)
  t.deepEqual(follow([third.certificate], offered, older, now).trusted, [third.certificate])
})

test('a clock that is a day behind follows nobody yet, and one that is a day ahead follows as long', t => {
  const statements = [
    succession(first, second.certificate, NOW),
    withdrawal(second, first.certificate),
  ]
  t.deepEqual(heard(statements, NOW - DAY_MS), ['first'])
  t.deepEqual(heard(statements, NOW + DAY_MS), ['second', 'no more first'])
})

test('statements are read out of anything, the newest of too many', t => {
  for (const value of [
    undefined,
    null,
    7,
    {},
    [null, 7, { text: 7 }, { text: 'a', signature: '?' }],
  ]) {
    t.deepEqual(parseStatements(value), [])
  }
  const one = succession(first, second.certificate, NOW)
  const another = succession(second, third.certificate, NOW)
  const many = [...Array.from({ length: MAX_STATEMENTS }, () => one), another]
  const read = parseStatements(JSON.parse(textOfStatements(many)))
  t.is(read.length, MAX_STATEMENTS)
  t.deepEqual(read.at(-1), another)
  t.deepEqual(parseStatements([{ text: 'a'.repeat(513), signature: one.signature }]), [])
})
