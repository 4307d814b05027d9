import { parseVitals } from '../../node/alarms/vitals.ts'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import test from 'ava'
import { DigestBuckets } from '../../node/gossip/digest-buckets.ts'
import { pack, unpack } from '../../node/gossip/frame-packing.ts'
import { PACKING_DICTIONARY } from '../../node/gossip/packing-dictionary.ts'
import { PEER_LIMITS } from '../../node/wire/limits.ts'
import { signConfirmation, type Confirmation } from '../../node/gossip/confirmation.ts'
import {
  encodeTally,
  markOf,
  TallyKey,
  type TallyFrame,
  type TallyKeyPair,
} from '../../node/gossip/tally.ts'
import type { Source } from '../../node/identity/names.ts'
import { signText } from '../../node/identity/signature.ts'
import { attachEndpoint } from '../support/gossip-document.ts'
import { client, testSource } from '../support/replica-changes.ts'
import type { PrintedSignatures } from '../vectors/list.ts'
import { linesOf, quiet, split } from '../vectors/session.ts'
import { frameReader, LinkEnd, NODE_1, NODE_2, openDocuments } from '../vectors/gossip.ts'
import { forgettingOf } from '../vectors/forgetting.ts'
import { farewellTo, farewellToForked, hearFarewell, hearForked } from '../vectors/removal.ts'
import { withVerdict } from '../vectors/vectors.ts'
import { readProtocol, untriedOf } from '../vectors/parts.ts'

/** PROTOCOL.md against the code, between nodes: whoever changes one of the two learns of the other. */

const vectors = readProtocol()

const changes = vectors.lines('changes')

const printed = vectors.json('signatures') as PrintedSignatures

const memberLines = vectors.lines('member')
const [memberLine = ''] = memberLines

const frameOf = frameReader({ printed, changes, member: memberLine })

const link = vectors.lines('link')

for (const [speaker, source] of [
  ['D', NODE_1],
  ['A', NODE_2],
] as const) {
  test(`${source} begins a link as the page does`, async t => {
    const end = new LinkEnd(printed, source, speaker === 'D')
    t.teardown(() => end.close())
    for (const line of link) {
      const [other, rest] = split(line)
      if (other !== speaker) end.hear(rest)
      await quiet()
    }
    const expected = linesOf(link, speaker)
    t.deepEqual(end.said.slice(0, expected.length), expected)
  })
}

const gossip = vectors.lines('whitelist')

test('what places sum up to by buckets is what the page says', t => {
  const { held, buckets } = vectors.json('buckets') as {
    readonly held: Readonly<Record<Source, number>>
    readonly buckets: string
  }
  const here = new DigestBuckets()
  for (const [place, sequence] of Object.entries(held)) here.move(place as Source, 0, sequence)
  t.is(here.compare(buckets, [])?.mask, 'c')
  const [[place, sequence] = t.fail()] = Object.entries(held)
  here.move(place as Source, sequence, sequence + 1)
  t.not(here.compare(buckets, [])?.mask, 'c')
})

test('a node gossips the whitelist as the page does, and passes it on to the byte', async t => {
  const { whitelist, self } = openDocuments(printed, NODE_2)
  const confirmations: Confirmation[] = []
  using _told = whitelist.confirmations.subscribe(one => confirmations.push(one))
  const frames = gossip.map(line => [line.slice(0, 1), frameOf(line.slice(2))] as const)
  const heard = frames.filter(([way]) => way === '<').map(([, frame]) => frame)
  const peer = attachEndpoint(whitelist, NODE_1)
  for (const frame of heard) {
    await peer.receive(JSON.parse(frame))
    await whitelist.settled()
  }
  await quiet()
  t.deepEqual(peer.refusals, [])
  t.is(peer.synced(), 1)
  t.deepEqual(
    peer.sent.map(frame => JSON.stringify(frame)),
    frames.filter(([way]) => way === '>').map(([, frame]) => frame),
  )
  t.deepEqual(
    whitelist.whitelist
      .state(client('fridge-client-001'))
      .grants.map(({ change }) => change.sequence),
    [2],
  )
  const [confirmation] = confirmations
  if (confirmation === undefined) return t.fail('not confirmed')
  t.is(JSON.stringify({ confirmed: [signConfirmation(confirmation, self)] }), heard.at(-1) ?? '')

  const next = attachEndpoint(whitelist, testSource('node-3'))
  await next.receive({ id: testSource('node-3'), clock: {} })
  const passedOn = next.sent.map(frame => JSON.stringify(frame))
  const own = JSON.stringify({ id: NODE_2, clock: { [NODE_1]: 3 } })
  const [holds, , ...rest] = heard.slice(0, -1)
  t.deepEqual(passedOn, [holds, own, ...rest])
})

const [packedLine = '', ...packedFrames] = vectors.lines('packed')

test('frames are packed and unpacked as the page has them', t => {
  const frames = packedFrames.map(line => JSON.parse(line) as unknown)
  for (const line of [packedLine, pack(packedFrames) ?? '']) {
    t.deepEqual(unpack(JSON.parse(line) as object, PEER_LIMITS.maxDepth), frames)
  }
})

const dictionary = vectors.lines('packing-dictionary').join('')

test('packed text refers to the dictionary of the page', t => {
  t.is(PACKING_DICTIONARY.toString('base64'), dictionary)
})

const tree = vectors.lines('tree')

test('a node announces and sends what it is asked for as the page does', async t => {
  const { whitelist, clock } = openDocuments(printed, NODE_2)
  const frames = (...words: string[]): unknown[] =>
    words.map(word => JSON.parse(frameOf(word)) as unknown)
  const source = testSource('node-3')
  const other = attachEndpoint(whitelist, source)
  const peer = attachEndpoint(whitelist, NODE_1)
  const certificates = frames('certificate operator', 'certificate node')
  await other.receive({ id: source, clock: {} }, ...certificates, ...frames('entry 1', 'entry 2'))
  await whitelist.settled()
  await peer.receive({ id: NODE_1, clock: { [NODE_1]: 2 } }, 'SYNC')
  const before = peer.sent.length
  for (const line of tree) {
    if (!line.startsWith('<')) continue
    await peer.receive(JSON.parse(line.slice(2)))
    await other.receive(...frames('entry 3'))
    await whitelist.settled()
    await clock.advance(20)
  }
  const said = peer.sent
    .slice(before)
    .filter(frame => !JSON.stringify(frame).includes('certificate"'))
  t.deepEqual(
    said.map(frame => JSON.stringify(frame)),
    linesOf(tree, '>').map(frameOf),
  )
})

test('the parts of a member are taken and passed on as the page has them', async t => {
  const { members, self } = openDocuments(printed, NODE_2)
  using _members = members
  const peer = attachEndpoint(members, NODE_1)
  const frames = ['digest', 'certificate node', ...memberLines].map(
    words => JSON.parse(frameOf(words)) as unknown,
  )
  await peer.receive(...frames)
  await members.settled()
  t.deepEqual(peer.refusals, [])
  const [profile, state, vitals] = memberLines.map(line => {
    const [{ member, signature }, sequence, place] = JSON.parse(line) as [
      { member: string; signature: string },
      number,
      string,
    ]
    t.is(signText(self.key, 'member', `${place} ${sequence}\n${member}`), signature)
    return JSON.parse(member) as object
  })
  const { notAfter } = self.signer.identity
  t.like(members.get(NODE_1), { ...profile, ...state, vitals, certificateEndsAt: notAfter })
  const next = attachEndpoint(members, testSource('node-3'))
  await next.receive({ id: testSource('node-3'), clock: {} })
  const said = next.sent.map(frame => JSON.stringify(frame))
  for (const line of memberLines) t.true(said.includes(line))
})

test('a removed node is shown what the page shows, and believes it', async t => {
  const [said = ''] = vectors.lines('removal')
  t.is(farewellTo(printed, 1_767_268_803_000), said)
  t.like(await hearFarewell(printed, said), { operator: 'admin', at: 1_767_268_803_000 })
})

test('a node that has forked is shown what the page shows, and believes it', async t => {
  const [said = ''] = vectors.lines('fork')
  t.is(farewellToForked(printed, 1_767_268_803_000), said)
  t.is(await hearForked(printed, said), undefined)
})

test('a forgetting is written as the page has it', t => {
  t.deepEqual(vectors.lines('forgetting'), [forgettingOf(printed, 1_767_268_804_000)])
})

test('a tally is made and believed as the page has it', t => {
  const { keys, run, to, applied, tally } = vectors.json('tally') as {
    keys: [secret: string, tallyKey: string][]
    run: Source
    to: Source
    applied: number
    tally: TallyFrame
  }
  const [accepting, confirming] = keys.map(([secret]) => new TallyKey(tallyPair(secret)))
  if (accepting === undefined || confirming === undefined) return t.fail()
  t.deepEqual([accepting.publicKey, confirming.publicKey], [keys[0]?.[1], keys[1]?.[1]])
  const tag = confirming.tag(accepting.publicKey, run, to, applied) ?? Buffer.alloc(0)
  t.deepEqual(encodeTally({ to, applied, marks: new Set([markOf(run)]), tag }), tally)
  t.deepEqual(accepting.tag(confirming.publicKey, run, to, applied), tag)
})

/** A key of X25519 in the form of PKCS #8 (RFC 8410, section 7). */
function tallyPair(secret: string): TallyKeyPair {
  const key = Buffer.from(`302e020100300506032b656e04220420${secret}`, 'hex')
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

test('vitals are read as the page says, and what is malformed in them is passed over', t => {
  const cases = vectors.json('vitals') as { vitals: unknown; alarms?: number; sensors?: number }[]
  for (const { vitals, alarms, sensors } of cases) {
    const parsed = parseVitals(vitals)
    t.is(parsed?.alarms.length, alarms)
    t.is(parsed?.sensors.length, sensors)
  }
})

const refusedFrames = vectors.cases('refused-frames')

test('a node refuses the frames that the page says, for the reasons that it says', async t => {
  for (const lines of refusedFrames) {
    const { said, why } = withVerdict(lines)
    const { whitelist, members } = openDocuments(printed, NODE_2)
    using _members = members
    const document = split(said[0] ?? '')[0] === 'members' ? members : whitelist
    const peer = attachEndpoint(document, NODE_1)
    for (const line of said) {
      t.deepEqual(peer.refusals, [], line)
      await peer.receive(JSON.parse(frameOf(split(line)[1])))
      await document.settled()
      await quiet()
    }
    t.deepEqual(peer.refusals, [why], said.join('\n'))
  }
})

test('every vector of this part is tried', t => {
  t.deepEqual(untriedOf('gossip', vectors), [])
})
