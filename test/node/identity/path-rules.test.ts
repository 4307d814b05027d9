import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import {
  ANY_USAGE,
  alternativeNames,
  basicConstraints,
  CLIENT_AUTH,
  CN,
  CODE_SIGNING,
  DIGITAL_SIGNATURE,
  der,
  ecKeys,
  ed25519Keys,
  extendedKeyUsage,
  extension,
  KEY_CERT_SIGN,
  KEY_ENCIPHERMENT,
  keyUsage,
  makeAuthority,
  name,
  oid,
  rsaKeys,
  SCHEMES,
  sequence,
  SERVER_AUTH,
  TRUE,
  type Made,
  type Making,
} from '../../support/chains.ts'
import {
  below,
  CA,
  leafOf,
  root,
  SPIFFE,
  testJudgements,
  tower,
  under,
  type Judgements,
} from '../../support/judgement.ts'

// Every rule kept once and broken once, judged by `pathOf` and by OpenSSL in a handshake.

const DAY_MS = 86_400_000
const now = Date.now()
const ended = { from: now - 2 * DAY_MS, to: now - DAY_MS }
const toCome = { from: now + DAY_MS, to: now + 2 * DAY_MS }
const UNKNOWN = '1.3.6.1.4.1.99999.1'
const subjectKey = (id: string): Buffer => extension('2.5.29.14', der(0x04, Buffer.from(id)))
const authorityKey = (id: string): Buffer =>
  extension('2.5.29.35', sequence(der(0x80, Buffer.from(id))))
const weakKeys = rsaKeys(1_024)
const strongKeys = rsaKeys(2_048)
const middle = makeAuthority('middle', { issuer: root })

/** An authority with the name and key of another, as one that was renewed or signed across. */
function again({ subject, publicKey, privateKey }: Made, making: Partial<Making> = {}): Made {
  return makeAuthority(subject, { keys: { publicKey, privateKey }, ...making })
}

const kept: Judgements['kept'] = [
  ['a leaf directly below the root', () => under(root)],
  ['a leaf below an intermediate', () => below([])],
  ['a leaf below three intermediates', () => tower({}, {}, {}, {})],
  [
    'intermediates sent along in any order',
    () => {
      const chain = tower({}, {}, {})
      return { ...chain, between: [...(chain.between ?? [])].reverse() }
    },
  ],
  [
    'no key usage anywhere',
    () => {
      const top = makeAuthority('root', { extensions: [basicConstraints(true)] })
      return under(top, { extensions: [] })
    },
  ],
  ['a path length that is reached', () => tower({ pathLength: 1 }, { pathLength: 0 })],
  [
    'a self-issued authority, which no path length counts',
    () => {
      const identified = (own: string, issuers: string, pathLength?: number): Buffer[] => [
        basicConstraints(true, pathLength),
        subjectKey(own),
        authorityKey(issuers),
      ]
      return tower(
        { pathLength: 1 },
        {
          subject: 'same',
          extensions: identified('a', 'top', 0),
        },
        { subject: 'same', extensions: identified('b', 'a') },
      )
    },
  ],
  ['a client below an intermediate for clients', () => below([extendedKeyUsage(CLIENT_AUTH)])],
  [
    'a node that is dialed below an intermediate for both',
    () => ({
      ...below([extendedKeyUsage(SERVER_AUTH, CLIENT_AUTH)], {
        extensions: [extendedKeyUsage(SERVER_AUTH, CLIENT_AUTH)],
      }),
      usage: 'serverAuth',
    }),
  ],
  [
    'an extension that is unknown, and not critical',
    () => below([], { extensions: [extension(UNKNOWN, TRUE)] }),
  ],
  ['a leaf of version 1', () => below([], { extensions: [], version: 1 })],
  [
    'RSA of 2048 bits',
    () =>
      under(makeAuthority('root', { keys: strongKeys, scheme: SCHEMES.rsaSha256 }), {
        keys: strongKeys,
        scheme: SCHEMES.rsaSha256,
      }),
  ],
  [
    'Ed25519',
    () =>
      under(makeAuthority('root', { keys: ed25519Keys(), scheme: SCHEMES.ed25519 }), {
        keys: ed25519Keys(),
        scheme: SCHEMES.ed25519,
      }),
  ],
  [
    'ECDSA P-384 with SHA-384',
    () =>
      under(makeAuthority('root', { keys: ecKeys('P-384'), scheme: SCHEMES.ecdsaSha384 }), {
        scheme: SCHEMES.ecdsaSha384,
      }),
  ],
  [
    'a root that signed itself with SHA-1, on which nothing rests',
    () => under(makeAuthority('root', { scheme: SCHEMES.ecdsaSha1 })),
  ],
  [
    'an intermediate that the bundle holds beside its root',
    () => ({
      leaf: leafOf(middle),
      trusted: [middle, root],
    }),
  ],
  [
    'an intermediate that has ended beside the one that replaces it',
    () => ({
      leaf: leafOf(middle),
      between: [again(middle, { issuer: root }), again(middle, { issuer: root, ...ended })],
      trusted: [root],
    }),
  ],
  [
    'a root that has ended beside the one that replaces it',
    () => ({
      leaf: leafOf(root),
      trusted: [again(root, ended), root],
    }),
  ],
  [
    'an authority that a foreign one has signed too',
    () => ({
      leaf: leafOf(root),
      between: [again(root, { issuer: makeAuthority('foreign') })],
      trusted: [root],
    }),
  ],
]

const broken: Judgements['broken'] = [
  ['a leaf of an authority that is not trusted', () => ({ leaf: leafOf(middle), trusted: [root] })],
  [
    'a leaf that another key of the same name signed',
    () => ({
      leaf: leafOf(makeAuthority('root')),
      trusted: [root],
    }),
  ],
  [
    'a leaf that names another issuer than signed it',
    () => ({
      leaf: leafOf({ ...root, subject: name([CN, 'other']) }),
      trusted: [root],
    }),
  ],
  [
    'an intermediate in the bundle without its root',
    () => ({
      leaf: leafOf(middle),
      trusted: [middle],
    }),
  ],
  [
    'another key identifier than that of the issuer',
    () => {
      const top = makeAuthority('root', { extensions: [...CA, subjectKey('one')] })
      return under(top, { extensions: [authorityKey('other')] })
    },
  ],
  [
    'a self-issued authority that names no other key as its issuer',
    () => tower({}, { subject: 'same' }, { subject: 'same' }),
  ],
  [
    'a leaf of the name of its authority that names no other key as its issuer',
    () => below([], { subject: 'middle' }),
  ],
  ['a leaf that has ended', () => under(root, ended)],
  ['a leaf that is not valid yet', () => under(root, toCome)],
  ['an intermediate that has ended', () => tower({}, ended)],
  ['an intermediate that is not valid yet', () => tower({}, toCome)],
  ['a root that has ended', () => tower(ended)],
  ['an intermediate that is a leaf', () => tower({}, { extensions: [basicConstraints(false)] })],
  [
    'an intermediate without basic constraints',
    () => tower({}, { extensions: [keyUsage(KEY_CERT_SIGN)] }),
  ],
  ['an intermediate of version 1', () => tower({}, { extensions: [], version: 1 })],
  [
    'an intermediate that may not sign certificates',
    () => tower({}, { extensions: [basicConstraints(true), keyUsage(DIGITAL_SIGNATURE)] }),
  ],
  [
    'a root that may not sign certificates',
    () => tower({ extensions: [basicConstraints(true), keyUsage(DIGITAL_SIGNATURE)] }),
  ],
  ['a root whose path length is exceeded', () => tower({ pathLength: 0 }, {})],
  ['an intermediate whose path length is exceeded', () => tower({}, { pathLength: 0 }, {})],
  ['a path length that is exceeded by one of two', () => tower({ pathLength: 1 }, {}, {})],
  [
    'a client that may only be dialed',
    () => below([], { extensions: [extendedKeyUsage(SERVER_AUTH)] }),
  ],
  [
    'a node that is dialed and may only dial',
    () => ({
      ...below([], { extensions: [extendedKeyUsage(CLIENT_AUTH)] }),
      usage: 'serverAuth',
    }),
  ],
  [
    'a client for any use, which TLS does not take for its own',
    () => below([], { extensions: [extendedKeyUsage(ANY_USAGE)] }),
  ],
  ['a client below an intermediate for code', () => below([extendedKeyUsage(CODE_SIGNING)])],
  ['a client below an intermediate for servers', () => below([extendedKeyUsage(SERVER_AUTH)])],
  [
    'a client below a root for servers',
    () => tower({ extensions: [...CA, extendedKeyUsage(SERVER_AUTH)] }),
  ],
  [
    'a client that may only encipher keys',
    () => below([], { extensions: [keyUsage(KEY_ENCIPHERMENT)] }),
  ],
  [
    'a client of the Netscape type of servers',
    () =>
      below([], {
        extensions: [extension('2.16.840.1.113730.1.1', der(0x03, Buffer.from([6, 0x40])))],
      }),
  ],
  [
    'a critical extension of the leaf that is unknown',
    () => below([], { extensions: [extension(UNKNOWN, TRUE, true)] }),
  ],
  [
    'a critical extension of an intermediate that is unknown',
    () => below([extension(UNKNOWN, TRUE, true)]),
  ],
  [
    'a critical extension of the root that is unknown',
    () => tower({ extensions: [...CA, extension(UNKNOWN, TRUE, true)] }),
  ],
  [
    'a proxy',
    () =>
      under(makeAuthority('root', { extensions: [basicConstraints(true)] }), {
        extensions: [
          extension('1.3.6.1.5.5.7.1.14', sequence(sequence(oid('1.3.6.1.5.5.7.21.1')))),
        ],
      }),
  ],
  [
    'the same extension twice',
    () => below([], { extensions: [alternativeNames(SPIFFE), alternativeNames(SPIFFE)] }),
  ],
  ['a leaf that was signed with SHA-1', () => under(root, { scheme: SCHEMES.ecdsaSha1 })],
  ['an intermediate that was signed with SHA-1', () => tower({}, { scheme: SCHEMES.ecdsaSha1 })],
  [
    'a leaf that was signed with MD5',
    () =>
      under(makeAuthority('root', { keys: strongKeys, scheme: SCHEMES.rsaSha256 }), {
        scheme: SCHEMES.rsaMd5,
      }),
  ],
  ['a leaf with RSA of 1024 bits', () => under(root, { keys: weakKeys })],
  [
    'an intermediate with RSA of 1024 bits',
    () => {
      const issuer = makeAuthority('middle', { issuer: root, keys: weakKeys })
      return {
        leaf: leafOf(issuer, { scheme: SCHEMES.rsaSha256 }),
        between: [issuer],
        trusted: [root],
      }
    },
  ],
  [
    'a root with RSA of 1024 bits',
    () =>
      under(makeAuthority('root', { keys: weakKeys, scheme: SCHEMES.rsaSha256 }), {
        scheme: SCHEMES.rsaSha256,
      }),
  ],
  [
    'a key on a curve that is spelt out',
    () =>
      under(root, {
        keys: generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }),
      }),
  ],
]

const stricter: Judgements['stricter'] = [
  [
    'a leaf below four intermediates',
    'a chain in gossip has at most four certificates',
    () => tower({}, {}, {}, {}, {}),
  ],
  [
    'critical policies of certificates',
    'OpenSSL takes note of them and applies none unless asked to',
    () =>
      below([], {
        extensions: [
          extension('2.5.29.32', sequence(sequence(Buffer.from('0603551d20', 'hex'))), true),
        ],
      }),
  ],
  [
    'critical constraints of policies',
    'OpenSSL takes note of them and applies none unless asked to',
    () => below([extension('2.5.29.36', sequence(der(0x80, Buffer.from([0]))), true)]),
  ],
  [
    'a key on another curve',
    'keys of authorities are of the kinds of all others',
    () => under(makeAuthority('root', { keys: ecKeys('secp256k1') })),
  ],
  [
    'a key for agreement only',
    'whoever dials signs, with TLS 1.3 in any case',
    () => below([], { extensions: [keyUsage(0x08)] }),
  ],
  [
    'a root of version 1',
    'nothing in it says that it is an authority',
    () => tower({ extensions: [], version: 1 }),
  ],
  [
    'extensions in version 1',
    'what version 1 cannot have says nothing (RFC 5280, section 4.1.2.9)',
    () => below([], { version: 1 }),
  ],
]

testJudgements(test, { kept, broken, stricter })
