import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { Replica } from '../../node/gossip/replica.ts'
import { identityOf } from '../../node/identity/identity.ts'
import { parseName, subjectOf, type Name, type Role } from '../../node/identity/names.ts'
import { objectionTo, Signers } from '../../node/identity/signers.ts'
import {
  alternativeNames,
  basicConstraints,
  CLIENT_AUTH,
  CODE_SIGNING,
  DIGITAL_SIGNATURE,
  extendedKeyUsage,
  extension,
  general,
  KEY_CERT_SIGN,
  keyUsage,
  makeAuthority,
  makeCertificate,
  nameConstraints,
  TRUE,
  type Made,
  type Making,
} from '../support/chains.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { attackReplica, signEntry } from '../support/hostile-node.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { grantAt, NOON, OPERATOR, testSource } from '../support/replica-changes.ts'
import type { Person } from '../support/replica-people.ts'

/**
 * What the thief of an authority below ours tries, who has the keys of a genuine node and a genuine
 * operator besides, one at a time: to have the signature of somebody counted whom TLS refuses.
 */

const DAY_MS = 86_400_000
const period = { from: NOON - 30 * DAY_MS, to: NOON + 30 * DAY_MS }
const CA = [basicConstraints(true), keyUsage(KEY_CERT_SIGN)] as const
const MALLORY = testSource('mallory')
const AMBER = subjectOf('client', parseName('amber'))

const root = makeAuthority('root', period)
const unknownCritical = extension('1.3.6.1.4.1.99999.1', TRUE, true)

/** An authority of a site, which may do all that ours may but for these extensions. */
function site(making: Partial<Making> = {}): Made[] {
  return [makeAuthority('site', { ...period, issuer: root, ...making })]
}

/** Somebody below authorities, the nearest first; the root alone where there are none. */
function person(role: Role, name: Name, above: readonly Made[] = [], making = period): Person {
  const made = makeCertificate({
    ...making,
    subject: name,
    issuer: above[0] ?? root,
    extensions: [
      keyUsage(DIGITAL_SIGNATURE),
      alternativeNames(general.uri(`spiffe://shop.example/${role}/${name}`)),
    ],
  })
  const { raw, publicKey } = new X509Certificate(made.certificate)
  const identity = identityOf(raw)
  const chain = [made, ...above].map(({ certificate }) => certificate.toString('base64'))
  const signer = { identity, key: publicKey, chain, authority: undefined, period: identity }
  return { signer, key: made.privateKey }
}

function openSigners(): Signers {
  const authority = new X509Certificate(root.certificate)
  const options = { authorities: () => [authority], trustDomain: 'shop.example' }
  return new Signers({ store: new MemoryStore(), ...options })
}

/** A node that has heard nothing yet. */
function openVictim(): Replica {
  const { signer, key } = person('node', parseName('alpha'))
  const signers = openSigners()
  const self = signers.learn(signer.chain)
  if (typeof self === 'string') throw new Error(self)
  return new Replica({
    source: testSource('alpha'),
    store: new MemoryStore(),
    signers,
    self: { signer: self, key },
    clock: new FakeClock(NOON),
  })
}

/** Tell a node of a grant that these two have signed. @returns why it ended the link, if it did */
async function tell(victim: Replica, operator: Person, node: Person): Promise<string | undefined> {
  const link = attackReplica(victim, MALLORY, [operator.signer, node.signer])
  await link.tell(signEntry(grantAt(MALLORY, 1), '', { operator, node }))
  return link.refused
}

const operator = (above?: readonly Made[], making?: typeof period): Person =>
  person('operator', OPERATOR, above, making)
const node = (above?: readonly Made[], making?: typeof period): Person =>
  person('node', parseName('mallory'), above, making)

const REFUSED: readonly (readonly [string, reason: RegExp, above: readonly Made[]])[] = [
  [
    'outside the names that its authority may give',
    /does not permit "spiffe:.*nameConstraints/,
    site({ extensions: [...CA, nameConstraints({ permitted: [general.uri('other.example')] })] }),
  ],
  [
    'among the names that its authority may not give',
    /excludes "spiffe:.*nameConstraints/,
    site({ extensions: [...CA, nameConstraints({ excluded: [general.uri('shop.example')] })] }),
  ],
  [
    'below an authority that may have none below it and has',
    /allows 0 authorities below it, and there are 1/,
    tooLong(),
  ],
  [
    'below an authority for something else',
    /is not for (client|server)Auth/,
    site({ extensions: [...CA, extendedKeyUsage(CODE_SIGNING)] }),
  ],
  [
    'below an authority with a critical extension that nobody here knows',
    /critical extension/,
    site({ extensions: [...CA, unknownCritical] }),
  ],
]

function tooLong(): Made[] {
  const above = site({ extensions: [basicConstraints(true, 0), keyUsage(KEY_CERT_SIGN)] })
  return [makeAuthority('below the site', { ...period, issuer: above[0] }), ...above]
}

for (const [title, reason, above] of REFUSED) {
  for (const [role, signed] of [
    ['operator', [operator(above), node()]],
    ['node', [operator(), node(above)]],
  ] as const) {
    test(`attack: the signature of ${role === 'operator' ? 'an operator' : 'a node'} ${title} does not count`, async t => {
      const victim = openVictim()
      const refused = await tell(victim, ...signed)
      t.regex(refused ?? '', /is not trusted/)
      t.regex(refused ?? '', reason)
      t.is(victim.whitelist.state(AMBER).grants.length, 0)
      t.is(victim.whitelist.changes, 0)
    })
  }
}

test('the same signatures count below an authority that keeps the rules', async t => {
  const above = site({
    extensions: [...CA, nameConstraints({ permitted: [general.uri('shop.example')] })],
  })
  const victim = openVictim()
  t.is(await tell(victim, operator(above), node(above)), undefined)
  t.is(victim.whitelist.state(AMBER).grants.length, 1)
})

test('attack: a node below an authority for clients only accepts nothing, but its operator may sign', async t => {
  const above = site({ extensions: [...CA, extendedKeyUsage(CLIENT_AUTH)] })
  t.regex((await tell(openVictim(), operator(), node(above))) ?? '', /is not for serverAuth/)
  t.is(await tell(openVictim(), operator(above), node()), undefined)
})

test('attack: whoever signs when the certificate of an authority above has ended is refused', async t => {
  const ending = site({ from: period.from, to: NOON - 1_000 })
  const refused = await tell(openVictim(), operator(ending), node())
  t.regex(refused ?? '', /the certificate of operator\/olga is not of that time/)
})

test('a chain that holds longer takes the place of one whose intermediate was renewed', t => {
  const [old] = site({ to: NOON - 1_000 })
  if (old === undefined) return t.fail()
  const { subject, publicKey, privateKey } = old
  const renewed = makeAuthority(subject, {
    ...period,
    issuer: root,
    keys: { publicKey, privateKey },
  })
  const { signer } = operator([old])
  const signers = openSigners()
  const early = signers.learn(signer.chain)
  if (typeof early === 'string') return t.fail(early)
  const objection = objectionTo(early, 'operator', OPERATOR, NOON)
  t.regex(objection ?? '', /is not of that time/)
  const [leaf = ''] = signer.chain
  const late = signers.learn([leaf, renewed.certificate.toString('base64')])
  if (typeof late === 'string') return t.fail(late)
  t.is(objectionTo(late, 'operator', OPERATOR, NOON), undefined)
  t.is(signers.get(signer.identity.fingerprint), late)
  t.is(signers.learn(signer.chain), late, 'the shorter one does not come back')
})

test('what stands in a chain beside the path is passed on to nobody', t => {
  const above = site()
  const { signer } = operator(above)
  const stranger = makeAuthority('stranger', period).certificate.toString('base64')
  const [leaf = '', issuer = ''] = signer.chain
  const known = openSigners().learn([leaf, stranger, issuer])
  if (typeof known === 'string') return t.fail(known)
  t.deepEqual(known.chain, [leaf, issuer])
})
