import { createHash, generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { loadCredentials } from '../../node/credentials.ts'
import { parseName, parseSubject, type Source } from '../../node/names.ts'
import type { Change, Entry } from '../../node/whitelist/change.ts'
import { signText } from '../../node/whitelist/signature.ts'
import { asUpdate, type UpdateValue } from '../../node/whitelist/update.ts'
import { makeTestCerts } from '../support/certs.ts'
import { makeSharedCerts, startCluster, untilReachable } from '../support/cluster.ts'
import { forgeCertificate, uris } from '../support/forged-certificate.ts'
import {
  certificateOf,
  connectHostile,
  personOf,
  relink,
  signChain,
  signEntry,
  type DocumentName,
  type HostileNode,
} from '../support/hostile-node.ts'
import { grantAt, revocationAt, testSource } from '../support/replica-changes.ts'

/**
 * What somebody tries who has the key of a node, and of nobody else: each attempt costs the link,
 * with the reason in the log, and changes nothing. One cluster takes it all.
 */

const DAY_MS = 86_400_000
const shared = await makeSharedCerts({
  nodes: ['node-1', 'node-2', 'mallory'],
  clients: ['c1', 'c2', 'c3'],
  operators: ['admin', 'retired'],
  now: Date.now() - 5 * DAY_MS,
})
const { certs } = shared
const removals: (() => unknown)[] = []
const t0 = { teardown: (removal: () => unknown) => void removals.push(removal) }
await certs.issue('operator', 'retired', { now: Date.now() - 3 * DAY_MS, days: 1 })
const elsewhere = await makeTestCerts(t0, { nodes: ['mallory'], operators: ['admin'] })
const [stolen, ...others] = await Promise.all([
  certs.load('node', 'mallory'),
  certs.load('operator', 'admin'),
  certs.load('client', 'c3'),
  elsewhere.load('operator', 'admin'),
])
const mallory = personOf(stolen)
const [admin, foreigner] = [personOf(others[0]), personOf(others[2])]
const cluster = await startCluster(t0, { nodes: 2, certs })
await cluster.grant(1, 'c1')
await cluster.grant(1, 'c2')
await cluster.revoke(2, 'c2')
await cluster.grant(2, 'c3')
await cluster.revoke(1, 'c3')
await cluster.grant(1, 'c3')
const listBefore = await listOn(1)
const witnesses = await Promise.all([1, 2].map(async index => cluster.client(index, 'c1')))

const EVIL = testSource('mallory')
const FAR = 9e15

async function listOn(index: number): Promise<string> {
  await using operator = await cluster.operator(index)
  const reports = await Array.fromAsync(operator.subjects())
  return JSON.stringify(reports.map(report => ({ ...report, sessions: undefined })))
}

/** What is wrong after an attack; nothing is. */
async function harm(): Promise<string[]> {
  const wrong: string[] = []
  for (const index of [1, 2]) {
    if ((await listOn(index)) !== listBefore) wrong.push(`node-${index} has another list`)
  }
  const cutHonest = cluster.log.lines.filter(
    ({ text, fields }) => /^link (cut|ended)/.test(text) && fields['peer'] !== 'mallory',
  )
  for (const { node, fields } of cutHonest) wrong.push(`${node} cut ${JSON.stringify(fields)}`)
  for (const { ended } of witnesses) {
    const isOpen = await Promise.race([ended.then(() => false), Promise.resolve(true)])
    if (!isOpen) wrong.push('a client was cut')
  }
  return wrong
}

/** The updates of the list that the node has sent: what any node gets. */
function updates(link: HostileNode): [UpdateValue, number, Source][] {
  return link.heard('whitelist').filter(frame => Array.isArray(frame)) as [
    UpdateValue,
    number,
    Source,
  ][]
}

/** The update of the list that holds a change which fits. */
function updateOf(link: HostileNode, kind: Change['kind'], client: string) {
  const update = updates(link).find(
    ([{ change }]) => change.includes(`"kind":"${kind}"`) && change.includes(`client/${client}"`),
  )
  if (update === undefined) throw new Error(`no ${kind} of ${client} was sent`)
  return update
}

function genuine(link: HostileNode): [UpdateValue, number, Source] {
  return updateOf(link, 'grant', 'c2')
}

/** The attacker's own grant of `c2`, which nobody signed. */
const wanted: Change = {
  ...grantAt(EVIL, 1, { subject: parseSubject('c2') }),
  operator: parseName('admin'),
  at: Date.now(),
}

/** Changes that the operator made on the attacker's node in good faith. */
const inGoodFaith = ['x1', 'x2', 'x3'].map((name, index): Change => ({
  ...revocationAt(EVIL, index + 1, parseSubject(name)),
  operator: parseName('admin'),
  at: Date.now(),
}))
const keys = { operator: admin, node: mallory }

/** An update made of an entry, with some of its fields replaced. */
function altered(entry: Entry, fields: Partial<UpdateValue>): unknown {
  const [value, sequence, source] = asUpdate(entry)
  return [{ ...(value as UpdateValue), ...fields }, sequence, source]
}

const shown = [mallory.signer, admin.signer].map(certificateOf)
const selfMade = await selfSigned()

test.after.always(async () => {
  for (const witness of witnesses) await witness[Symbol.asyncDispose]()
  await cluster[Symbol.asyncDispose]()
  for (const removal of removals) await removal()
  await shared.remove()
})

async function selfSigned(): Promise<{ chain: string[]; signed: Entry }> {
  const keyPair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = await forgeCertificate({
    subject: [{ CN: ['admin'] }],
    names: uris('spiffe://test.fridge/operator/admin'),
    keys: keyPair,
  })
  const operatorCertificate = createHash('sha256').update(der).digest('hex')
  const signed = signEntry(wanted, '', {
    node: mallory,
    operator: { ...admin, key: keyPair.privateKey },
  })
  return { chain: [der.toString('base64')], signed: { ...signed, operatorCertificate } }
}

type Attempt = readonly [
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
    /is not at the place that it names|claims to be from this node/,
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
      return [...shown, signEntry({ ...change, at: Date.now() }, '', keys)]
    },
  ],
  [
    'a change in the name of the node that it is sent to',
    /claims to be from this node/,
    link => {
      const change = {
        ...revocationAt(link.victim, FAR, parseSubject('x')),
        operator: parseName('admin'),
      }
      return [...shown, signEntry({ ...change, at: Date.now() }, '', keys)]
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
    link => [...shown, signEntry({ ...wanted, seen: new Map([[link.victim, FAR]]) }, '', keys)],
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
    link => [[{ stray: genuine(link)[0] }, 1, strayOf(genuine(link)[0].change)]],
  ],
  [
    'the entry of an honest node as a stray against the next one',
    /called a stray without proof/,
    link => {
      const [first, second] = updates(link).filter(([, , source]) => source === genuine(link)[2])
      return [[{ stray: first?.[0], against: second?.[0] }, 1, strayOf(first?.[0].change ?? '')]]
    },
  ],
  [
    'the entry of an honest node as a stray against one that it linked itself',
    /is not signed by its node/,
    link => {
      const [value] = genuine(link)
      const entry = { ...value, text: value.change } as unknown as Entry
      const { nodeSignature } = relink(entry, 'A'.repeat(43), mallory)
      const against = { ...value, previous: 'A'.repeat(43), nodeSignature }
      return [...shown, [{ stray: value, against }, 1, strayOf(value.change)]]
    },
  ],
]

const FRAMES: readonly Attempt[] = [
  ['heads that are a list', /heads are malformed/, () => [{ heads: [], more: 1 }]],
  ['heads of nobody', /heads are malformed/, () => [{ heads: { constructor: [1, 'x'] } }]],
  ['heads without a hash', /heads are malformed/, () => [{ heads: { [EVIL]: [1] } }]],
  ['heads at 0', /heads are malformed/, () => [{ heads: { [EVIL]: [0, 'x'] } }]],
  ['heads a second time', /heads come twice/, () => [{ heads: {} }, { heads: {} }]],
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

/** The words of a node with something put in, under the attacker's signature. */
function falseWords(link: HostileNode, fields: object, sequence: number, source: string): unknown {
  const [{ member }] = wordsOfOther(link)
  const text = JSON.stringify({ ...(JSON.parse(member) as object), ...fields })
  const signature = signText(mallory.key, 'member', `${sequence}\n${text}`)
  const certificate = mallory.signer.identity.fingerprint
  return [{ member: text, certificate, signature }, sequence, source]
}

const WORDS: readonly Attempt[] = [
  [
    'an entry for another node',
    /node\/mallory signs for node-2#/,
    link => [certificateOf(mallory.signer), falseWords(link, {}, FAR, wordsOfOther(link)[2])],
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
    'an entry for another node in its own name',
    /a member has no valid name|a member speaks for another/,
    link => [certificateOf(mallory.signer), falseWords(link, { source: EVIL }, 1, EVIL)],
  ],
  [
    'an entry in the name of the node that it is sent to',
    /a member claims to be this node/,
    link => [
      certificateOf(mallory.signer),
      falseWords(link, { name: 'node-1', source: link.victim }, FAR, link.victim),
    ],
  ],
]

const ALL = [...FORGED, ...MISPLACED, ...FRAMES].map(attempt => ['whitelist', attempt] as const)

for (const [document, [title, reason, frames]] of [
  ...ALL,
  ...WORDS.map(attempt => ['members', attempt] as const),
]) {
  // One after the other: of several links from one node all but one are refused.
  test.serial(`${title}: refused, and the link is cut`, async t => {
    await attack(document, frames)
    await logged(reason)
    t.deepEqual(await harm(), [])
  })
}

function isEntry(frame: unknown): frame is Entry {
  return typeof frame === 'object' && frame !== null && 'text' in frame
}

let logFrom = 0

/** Make a link, send what there is to send, and wait until it is over. */
async function attack(document: DocumentName, frames: Attempt[2]): Promise<void> {
  logFrom = cluster.log.lines.length
  const link = await connectHostile(t0, cluster.node(1).address, stolen, { source: EVIL })
  try {
    const sent = (await frames(link)).map(frame => (isEntry(frame) ? asUpdate(frame) : frame))
    link.tell(document, ...sent)
    await untilCut(link)
  } finally {
    link.socket.destroy()
  }
}

/** @throws when the node goes on to say that it lives */
async function untilCut({ lines, closed, socket }: HostileNode): Promise<void> {
  let from = lines.all.length
  for (let beats = 0; beats < 3 && !socket.destroyed; beats += 1) {
    await Promise.race([closed, lines.find(/\\"beat\\"/, from).catch(() => {})])
    from = lines.all.length
  }
  const isCut = socket.destroyed
  socket.destroy()
  await closed
  if (!isCut) throw new Error('the link was not cut')
}

async function logged(reason: RegExp): Promise<void> {
  await cluster.log.find(
    line =>
      cluster.log.lines.indexOf(line) >= logFrom &&
      line.node === 'node-1' &&
      line.text === 'link cut: the peer broke the protocol' &&
      line.fields['peer'] === 'mallory' &&
      reason.test(String(line.fields['detail'])),
  )
}

function strayOf(text: string): string {
  const source = /"source":"([^"#]*)#/.exec(text)?.[1] ?? ''
  return `${source}#${createHash('sha256').update(`stray\n${text}`).digest('hex').slice(0, 32)}`
}

function pemBody(pem: string): string {
  return pem.replace(/-----[^-]*-----|\s/g, '')
}

test.serial('two nodes see each other through it all', async t => {
  await untilReachable(cluster, 1, 2)
  t.deepEqual(await harm(), [])
})
