import { createHash } from 'node:crypto'
import { loadCredentials } from '../../node/identity/credentials.ts'
import { parseName, parseSubject, type Source } from '../../node/identity/names.ts'
import type { ChangeId } from '../../node/whitelist/change.ts'
import { entryHash } from '../../node/whitelist/entry.ts'
import { signedText } from '../../node/gossip/member-part.ts'
import type { UpdateValue } from '../../node/gossip/update.ts'
import { signText } from '../../node/identity/signature.ts'
import {
  certificateOf,
  personOf,
  signChain,
  signEntry,
  type DocumentName,
  type HostileNode,
} from '../support/hostile-node.ts'
import { revocationAt } from '../support/replica-changes.ts'
import {
  admin,
  altered,
  certs,
  DAY_MS,
  EVIL,
  FAR,
  foreigner,
  genuine,
  inGoodFaith,
  keys,
  mallory,
  selfMade,
  shown,
  updateOf,
  updates,
  wanted,
} from './hostile-people.ts'

/** What somebody may try who has the key of a node, each with the reason that the log must give. */
export type Attempt = readonly [
  title: string,
  reason: RegExp,
  frames: (link: HostileNode) => readonly unknown[] | Promise<readonly unknown[]>,
]

const FORGED: readonly Attempt[] = [
  [
    'a grant signed with its own key as the operator',
    /node\/mallory signs for operator\/admin/,
    () => [
      ...shown,
      altered(signEntry(wanted, '', { operator: mallory, node: mallory }), {
        operatorCertificate: mallory.signer.identity.fingerprint,
      }),
    ],
  ],
  [
    'a grant that names the operator and is signed with its own key',
    /is not signed by its operator/,
    () => [
      ...shown,
      altered(signEntry(wanted, '', { operator: mallory, node: mallory }), {
        operatorCertificate: admin.signer.identity.fingerprint,
      }),
    ],
  ],
  [
    'a grant without a signature',
    /is not signed/,
    () => [...shown, altered(signEntry(wanted, '', keys), { operatorSignature: '' })],
  ],
  [
    'a grant under the signature of another text',
    /is not signed by its operator/,
    link => [
      ...shown,
      altered(signEntry(wanted, '', keys), {
        operatorSignature: genuine(link)[0].operatorSignature,
      }),
    ],
  ],
  [
    'a grant under what the operator signed in another meaning',
    /is not signed by its operator/,
    () => [
      ...shown,
      altered(signEntry(wanted, '', keys), {
        operatorSignature: signText(admin.key, 'entry', signEntry(wanted, '', keys).text),
      }),
    ],
  ],
  [
    'a grant by an operator of another authority',
    /operator\/admin is not trusted/,
    () => [
      certificateOf(foreigner.signer),
      signEntry(wanted, '', { ...keys, operator: foreigner }),
    ],
  ],
  [
    'a grant by an operator that it made up',
    /operator\/admin is not trusted/,
    () => [{ certificate: selfMade.chain }, selfMade.signed],
  ],
  [
    'a certificate of a client',
    /client\/c3 can sign nothing/,
    async () => [{ certificate: [pemBody((await certs.load('client', 'c3')).certificate)] }],
  ],
  [
    'a grant by an operator whose certificate had ended',
    /operator\/retired is not of that time/,
    async () => {
      const retired = personOf(
        await loadCredentials(
          { dir: certs.dir, role: 'operator', name: parseName('retired') },
          { now: Date.now() - 2.5 * DAY_MS },
        ),
      )
      const change = { ...wanted, operator: parseName('retired') }
      return [
        ...shown,
        certificateOf(retired.signer),
        signEntry(change, '', { ...keys, operator: retired }),
      ]
    },
  ],
  [
    'a change signed by an operator that it does not show',
    /certificate of an operator was not sent/,
    () => [
      certificateOf(mallory.signer),
      altered(signEntry(wanted, '', keys), { operatorCertificate: 'f'.repeat(64) }),
    ],
  ],
  [
    'a change whose entry nobody signed',
    /is not signed by its node/,
    () => [
      ...shown,
      altered(signEntry(inGoodFaith[0] ?? wanted, '', keys), { nodeSignature: 'AAAA' }),
    ],
  ],
]

const MISPLACED: readonly Attempt[] = [
  [
    'an old grant as a change of its own',
    /is not at the place that it names/,
    link => [[genuine(link)[0], 1, EVIL]],
  ],
  [
    'an old grant further on in its source',
    /is not at the place that it names/,
    link => [[genuine(link)[0], genuine(link)[1] + 50, genuine(link)[2]]],
  ],
  [
    'an old revocation as a change of its own',
    /is not at the place that it names/,
    link => [[updateOf(link, 'revocation', 'c3')[0], 1, EVIL]],
  ],
  [
    'a change that burns the places of another source',
    /node\/mallory signs for node\/node-2/,
    link => {
      const source = updateOf(link, 'revocation', 'c2')[2]
      const change = {
        ...revocationAt(source, FAR, parseSubject('x')),
        operator: parseName('admin'),
      }
      return [...shown, signEntry({ ...change, at: Date.now() }, 'A'.repeat(43), keys)]
    },
  ],
  [
    'a change in the name of the node that it is sent to',
    /signs for node\/node-1/,
    link => {
      const change = {
        ...revocationAt(link.victim, FAR, parseSubject('x')),
        operator: parseName('admin'),
      }
      return [...shown, signEntry({ ...change, at: Date.now() }, 'A'.repeat(43), keys)]
    },
  ],
  [
    'the second change without the first',
    /a change before 2 of mallory#\S+ was left out/,
    () => [...shown, ...signChain(inGoodFaith, keys).slice(1)],
  ],
  [
    'the first and the third change',
    /a change before 3 of mallory#\S+ was left out/,
    () => [...shown, signChain(inGoodFaith, keys)[2]],
  ],
  [
    'a first change that links to one before it',
    /does not link to the one before/,
    () => [...shown, signEntry(inGoodFaith[0] ?? wanted, 'A'.repeat(43), keys)],
  ],
  [
    'a grant that has seen revocations still to come',
    /has seen others that were not sent/,
    () => [...shown, signEntry({ ...wanted, seen: ['A'.repeat(43) as ChangeId] }, '', keys)],
  ],
  [
    'a change at a place of 32 digits, where only strays stand',
    /no valid source/,
    () => {
      const source = `mallory#${'0'.repeat(32)}` as Source
      return [...shown, signEntry({ ...wanted, source }, '', keys)]
    },
  ],
  [
    'the entry of an honest node as a stray',
    /called a stray without proof/,
    link => [[{ stray: genuine(link)[0] }, 1, strayOf(genuine(link)[0])]],
  ],
  [
    'the entry of an honest node as a stray against the next one',
    /called a stray without proof/,
    link => {
      const [first, second] = updates(link).filter(([, , source]) => source === genuine(link)[2])
      if (first === undefined) throw new Error('the node has sent nothing')
      return [[{ stray: first[0], against: second?.[0] }, 1, strayOf(first[0])]]
    },
  ],
  [
    'the entry of an honest node as a stray against one that it linked itself',
    /is not signed by its operator/,
    link => {
      const [value] = genuine(link)
      const change = value.change.replace(/"previous":"[^"]*"/, `"previous":"${'A'.repeat(43)}"`)
      const nodeSignature = signText(mallory.key, 'entry', entryHash(change, value))
      const against = { ...value, change, nodeSignature }
      return [...shown, [{ stray: value, against }, 1, strayOf(value)]]
    },
  ],
]

const FRAMES: readonly Attempt[] = [
  ['heads that are a list', /heads are malformed/, () => [{ heads: [], more: 1 }]],
  ['heads of nobody', /heads are malformed/, () => [{ heads: { constructor: [1, 'x'] } }]],
  ['heads without a hash', /heads are malformed/, () => [{ heads: { [EVIL]: [1] } }]],
  ['heads at 0', /heads are malformed/, () => [{ heads: { [EVIL]: [0, 'x'] } }]],
  [
    'heads a second time',
    /heads come twice/,
    link => {
      const heads = { [genuine(link)[2]]: [1, 'x'] }
      return [{ heads }, { heads }]
    },
  ],
  [
    'a certificate with garbage behind it',
    /cannot be read|malformed/,
    () => [
      { certificate: [...mallory.signer.chain, 'AAAA'] },
      { certificate: [selfMade.chain[0], 'AAAA'] },
    ],
  ],
  [
    'a chain of 100 certificates',
    /certificate chain is malformed/,
    () => [{ certificate: Array.from({ length: 100 }, () => mallory.signer.chain[0]) }],
  ],
  ['a chain of none', /certificate chain is malformed/, () => [{ certificate: [] }]],
  [
    'certificates without end',
    /a certificate was sent twice/,
    () => Array.from({ length: 4_097 }, () => certificateOf(mallory.signer)),
  ],
  [
    'a certificate with something else',
    /comes with something else/,
    () => [{ ...certificateOf(mallory.signer), more: 1 }],
  ],
  [
    'a confirmation in the name of another node',
    /a confirmation is not signed by its node/,
    link => [
      certificateOf(mallory.signer),
      { confirmed: [confirmationOf(wordsOfOther(link)[2], link.victim)] },
    ],
  ],
  [
    'confirmations that are none',
    /a confirmation names no places/,
    link => [{ confirmed: [confirmationOf('constructor', link.victim)] }],
  ],
  [
    'confirmations without end',
    /confirmations are malformed/,
    link => [{ confirmed: Array.from({ length: 4_097 }, () => confirmationOf(EVIL, link.victim)) }],
  ],
  ['an update at 0', /an update is malformed/, () => [[{}, 0, EVIL]]],
]

/** What a node says of itself, as another one sends it on. */
type Words = readonly [
  value: { readonly member: string; readonly certificate: string; readonly signature: string },
  sequence: number,
  source: Source,
]

/** What the other honest node has said of itself. */
function wordsOfOther(link: HostileNode): Words {
  const all = link.heard('members').filter(frame => Array.isArray(frame)) as unknown as Words[]
  const words = all.find(([, , source]) => source.startsWith('node-2#'))
  if (words === undefined) throw new Error('node-2 was not heard')
  return words
}

/** That a node has applied changes of another still to come, in the attacker's words. */
function confirmationOf(node: string, to: Source): unknown[] {
  const text = JSON.stringify({ node, to, applied: FAR, changes: [] })
  const { signer, key } = mallory
  return [text, signer.identity.fingerprint, signText(key, 'confirmation', text)]
}

/** What another node says of itself, at any place, under the attacker's signature. */
function falseWords(link: HostileNode, sequence: number, place: Source): unknown {
  const [{ member }] = wordsOfOther(link)
  const signature = signText(mallory.key, 'member', signedText(place, sequence, member))
  return [{ member, certificate: mallory.signer.identity.fingerprint, signature }, sequence, place]
}

const WORDS: readonly Attempt[] = [
  [
    'an entry for another node',
    /node\/mallory signs for node-2#/,
    link => [certificateOf(mallory.signer), falseWords(link, FAR, wordsOfOther(link)[2])],
  ],
  [
    'the words of another node once more, as newer ones',
    /a member is not signed by node\/node-2/,
    link => {
      const [value, sequence, source] = wordsOfOther(link)
      return [[value, sequence + 1, source]]
    },
  ],
  [
    'an entry in the name of the node that it is sent to',
    /a member claims to be this node/,
    link => [certificateOf(mallory.signer), falseWords(link, FAR, link.victim)],
  ],
]

function strayOf(value: UpdateValue): string {
  const source = /"source":"([^"#]*)#/.exec(value.change)?.[1] ?? ''
  const hash = entryHash(value.change, value)
  return `${source}#${createHash('sha256').update(`stray\n${hash}`).digest('hex').slice(0, 32)}`
}

function pemBody(pem: string): string {
  return pem.replace(/-----[^-]*-----|\s/g, '')
}

/** All of it, each with the document that it goes to. */
export const ATTEMPTS: readonly (readonly [DocumentName, Attempt])[] = [
  ...[...FORGED, ...MISPLACED, ...FRAMES].map(attempt => ['whitelist', attempt] as const),
  ...WORDS.map(attempt => ['members', attempt] as const),
]
