import type { Alarm } from '../node/alarms/alarm.ts'
import { parseAlarm } from '../node/alarms/parse.ts'
import { parseVitals } from '../node/alarms/vitals.ts'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { admit, type RefusalReason } from '../node/sessions/admission.ts'
import { explainEnding } from '../node/client/farewell.ts'
import { isLastWord } from '../node/client/last-words.ts'
import { parseNodeHello } from '../node/client/node-hello.ts'
import type { Dialect } from '../node/events/dialect.ts'
import { FridgeError } from '../node/lib/errors.ts'
import { signConfirmation, type Confirmation } from '../node/gossip/confirmation.ts'
import {
  encodeTally,
  markOf as tallyMarkOf,
  TallyKey,
  type TallyFrame,
  type TallyKeyPair,
} from '../node/gossip/tally.ts'
import { identityOf, type Identity } from '../node/identity/identity.ts'
import type { Role, Source } from '../node/identity/names.ts'
import { buildWhitelist } from '../node/whitelist/build.ts'
import { encodeChange, idOf, parseChange, type ChangeId } from '../node/whitelist/change.ts'
import { entryHash, straySource } from '../node/whitelist/entry.ts'
import { evaluateLog } from '../node/whitelist/evaluate.ts'
import { StateRoot, type StateLeaf } from '../node/whitelist/state-root.ts'
import { OpenedLog } from '../node/whitelist/opened-log.ts'
import { MemoryStore } from './support/memory-store.ts'
import { signatureHolds, signText } from '../node/identity/signature.ts'
import type { Hello } from '../node/wire/control.ts'
import { bucketIn, commandIn, eventIn } from '../node/history/page.ts'
import {
  digestOf,
  LinesHash,
  NumbersHash,
  textOf,
  type Hour,
  type SensorHour,
} from '../node/history/seal.ts'
import { CLIENT_LIMITS, NODE_LIMITS, PEER_LIMITS, type WireLimits } from '../node/wire/limits.ts'
import { forgeCertificate, uris } from './support/forged-certificate.ts'
import { attachEndpoint } from './support/gossip-document.ts'
import { client, grantAt, testSource } from './support/replica-changes.ts'
import {
  certificatesOf,
  interleavings,
  placeName,
  signerOf,
  signersOf,
  WordedChanges,
  type PrintedSignatures,
} from './vectors/list.ts'
import { ClientEnd, linesOf, NodeEnd, play, quiet, refusalOf, split } from './vectors/session.ts'
import { frameReader, LinkEnd, NODE_1, NODE_2, openDocuments } from './vectors/gossip.ts'
import { forgettingOf } from './vectors/forgetting.ts'
import { farewellTo, farewellToForked, hearFarewell, hearForked } from './vectors/removal.ts'
import { Vectors, withVerdict } from './vectors/vectors.ts'
import { ALL_VOUCHED } from './support/vouchers.ts'

/** PROTOCOL.md against the code: whoever changes one of the two learns of the other. */

const vectors = Vectors.read(new URL('../PROTOCOL.md', import.meta.url))

const identities = vectors.json('identities') as { cn: string; uris: string[]; is: string | null }[]

test('names in certificates are read as the page says', async t => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  for (const { cn, uris: claimed, is } of identities) {
    const der = await forgeCertificate({
      subject: [{ CN: [cn] }],
      names: uris(...claimed),
      keys,
    })
    const read = (): string | null => {
      try {
        return identityOf(der).subject
      } catch (error) {
        if (error instanceof FridgeError && error.code === 'ERR_CERTIFICATE') return null
        throw error
      }
    }
    t.is(read(), is, `${cn} ${claimed.join(' ')}`)
  }
})

const sessions: [dialect: Dialect, session: string[]][] = [
  ['plain', vectors.lines('plain-session')],
  ['fridge/1', vectors.lines('fridge-session')],
]

for (const [dialect, session] of sessions) {
  test(`a node speaks ${dialect} as the page does`, async t => {
    const node = new NodeEnd(dialect)
    await play(node, session, 'C')
    t.deepEqual(node.said, linesOf(session, 'N'))
    t.is(node.ending?.cause, 'closed')
  })

  test(`a client speaks ${dialect} as the page does`, async t => {
    const end = new ClientEnd()
    await play(end, session, 'N')
    t.deepEqual(end.said, linesOf(session, 'C'))
    t.is(end.ending, undefined)
    const said = linesOf(session, 'N').join('\n')
    const events = said.match(/\\"(open|close|reading|unavailable|resumed)\\"/g)
    t.is(end.heard.length, events?.length ?? 0)
    t.is(end.bye === undefined, !said.includes('\\"bye\\"'))
    t.is(end.outcomes.length, session.filter(line => line.startsWith('* call')).length)
    for (const outcome of end.outcomes) t.true(said.includes(outcome.replace(/^\w+: /, '')))
  })
}

test('a node cuts a client that has been silent for 6 s, and one that beats lives on', async t => {
  const [mute, alive] = [new NodeEnd('fridge/1'), new NodeEnd('fridge/1')]
  for (const node of [mute, alive]) node.happen('connect', '')
  await quiet()
  alive.hear('["c0","data","[\\"hello\\",{\\"protocol\\":1}]\\n"]')
  for (let second = 0; second < 9; second += 3) {
    alive.hear('["c0","data","[\\"beat\\"]\\n"]')
    for (const node of [mute, alive]) node.happen('3000', 'ms')
    await quiet()
  }
  t.is(mute.ending?.cause, 'dead')
  t.is(alive.ending, undefined)
})

const nodeHellos = vectors.json('node-hellos') as { hello: Hello; why: string | null }[]

test('a client takes and refuses hellos as the page says', t => {
  for (const { hello, why } of nodeHellos) {
    const parsed = parseNodeHello(hello)
    t.is(typeof parsed === 'string' ? parsed : null, why, JSON.stringify(hello))
  }
  // The one of the session above as well.
  const said = sessions.flatMap(([, session]) => linesOf(session, 'N')).find(isHello) ?? ''
  const [, , text] = JSON.parse(said) as [string, string, string]
  const [, fields] = JSON.parse(text) as [string, Hello]
  t.like(parseNodeHello(fields), { node: 'node-1', run: NODE_1 })
})

function isHello(line: string): boolean {
  return line.includes('[\\"hello\\"')
}

const hellos = vectors.json('client-hellos') as { hello: object; why: string | null }[]

test('a node takes and refuses hellos as the page says', async t => {
  for (const { hello, why } of hellos) {
    const line = JSON.stringify(['c0', 'data', `${JSON.stringify(['hello', hello])}\n`])
    const refusal = await refusalOf([`C ${line}`])
    t.is(refusal, why === null ? null : `emitter: ${why}`)
  }
})

const refusedLines = vectors.cases('refused-lines')

test('a node refuses the lines that the page says, for the reasons that it says', async t => {
  for (const lines of refusedLines) {
    const { said, why } = withVerdict(lines)
    t.is(await refusalOf(said), why, said.join('\n'))
  }
})

const farewells = vectors.table('farewell')

test('a client comes back after the farewells that the page says', t => {
  const decided: Record<RefusalReason, true> = {
    revoked: true,
    'not on the whitelist': true,
    expired: true,
    'wrong key': true,
    'certificate expired': true,
    'not trusted': true,
    isolated: true,
    'node removed': true,
    'not ready': true,
  }
  const said = farewells.map(([reason]) => reason)
  t.deepEqual(
    Object.keys(decided).filter(reason => !said.includes(reason)),
    [],
  )
  const attempt = { address: '', host: '', caFile: '', certificateFile: '' }
  for (const [reason = '', to, , comesBack = ''] of [
    ...farewells,
    ['unheard of', 'all', '', 'yes'],
  ]) {
    if (to === 'node') continue
    const heard = { bye: { reason, text: '' }, greeted: true, role: 'client', attempt } as const
    t.is(isLastWord(explainEnding({ cause: 'lost' }, heard)), !comesBack.startsWith('yes'), reason)
  }
})

const changes = vectors.lines('changes')

test('the canonical texts of the page are read, and written again to the byte', t => {
  for (const text of changes) {
    const parsed = parseChange(text)
    if (!parsed.ok) return t.fail(parsed.why)
    t.is(encodeChange(parsed.change), text)
  }
  t.pass()
})

const refusedChanges = vectors.cases('refused-changes')

test('the texts that the page says are no changes, for the reasons that it says', t => {
  for (const lines of refusedChanges) {
    const { said, why } = withVerdict(lines)
    t.deepEqual(parseChange(said.join('\n')), { ok: false, why })
  }
})

test('the root over leaves is that of the page', t => {
  const { leaves, roots } = vectors.json('state') as { leaves: StateLeaf[]; roots: string[] }
  const state = new StateRoot()
  t.is(state.root(), roots[0] ?? '')
  for (const [index, leaf] of leaves.entries()) {
    state.add(leaf)
    t.is(state.root(), roots[index + 1] ?? '')
  }
})

const mergings = vectors.json('merging') as {
  A?: string[]
  B?: string[]
  stands: string[]
  newest: string[]
}[]

test('changes merge in every order as the page says', t => {
  for (const { A = [], B = [], stands, newest } of mergings) {
    const changes = new WordedChanges({ A, B })
    const names = changes.names()
    const namesOf = (ids: Iterable<string>): string[] =>
      Array.from(ids, id => names.get(id) ?? '').sort()
    for (const order of interleavings(changes.of('A'), changes.of('B'))) {
      const title = `${JSON.stringify({ A, B })} as ${order.map(one => placeName(one.change)).join(' ')}`
      const { grants, revocations } = buildWhitelist(new OpenedLog(order), ALL_VOUCHED).state(
        client('amber'),
      )
      t.deepEqual(namesOf(grants.map(({ id }) => id)), stands, title)
      t.true(namesOf(revocations).join().includes(newest.join()), title)
      const evaluated = evaluateLog(order, ALL_VOUCHED).subjects.get(client('amber'))
      t.deepEqual(namesOf(evaluated?.grants ?? []), stands, title)
      t.deepEqual(namesOf(evaluated?.newest ?? []), newest, title)
    }
  }
})

const admissions = vectors.json('admission') as {
  role: Role
  revoked?: boolean
  grants: { keys?: string[]; [term: string]: unknown }[]
  notAfter?: number
  is: string
  until?: number
  sensors?: string[]
  commands?: string[]
}[]

test('admission decides as the page says', t => {
  const keys = new Map([
    ['own', 'a'.repeat(64)],
    ['other', 'b'.repeat(64)],
  ])
  const source = testSource('A')
  for (const { role, revoked = false, notAfter = 2_000, is, ...expected } of admissions) {
    const identity = { role, keyId: keys.get('own'), notAfter } as Identity
    const grants = expected.grants.map((terms, index) => {
      const change = grantAt(source, index + 2, {
        terms: {
          ...terms,
          ...(terms.keys && { keys: terms.keys.map(key => keys.get(key)) }),
        } as object,
      })
      return { id: `grant ${index}` as ChangeId, change }
    })
    const revocations = new Set(revoked ? ['removal' as ChangeId] : [])
    const admission = admit(identity, { revocations, grants }, 1_000)
    const title = JSON.stringify(expected)
    t.is(admission.admitted ? 'admitted' : admission.reason, is, title)
    if (!admission.admitted) continue
    const { rights, until } = admission
    t.is(until, expected.until ?? 2_000, title)
    t.deepEqual(rights.sensors && [...rights.sensors], expected.sensors, title)
    t.deepEqual(rights.commands && [...rights.commands], expected.commands, title)
  }
})

const printed = vectors.json('signatures') as PrintedSignatures

test('hashes, signatures and fingerprints are those of the page', async t => {
  const signers = signersOf(printed, new MemoryStore())
  const operator = signerOf(printed.operator, signers)
  const node = signerOf(printed.node, signers)
  t.is(operator.signer.identity.fingerprint, printed.operator.fingerprint)
  t.is(node.signer.identity.fingerprint, printed.node.fingerprint)
  t.is<string, string>(operator.signer.identity.subject, 'operator/admin')
  t.is<string, string>(node.signer.identity.subject, 'node/node-1')
  for (const [index, { hash, id, signatures }] of printed.entries.entries()) {
    const text = changes[index] ?? ''
    t.is(entryHash(text, certificatesOf(printed)), hash)
    const parsed = parseChange(text)
    t.is<string | false, string>(parsed.ok && idOf({ change: parsed.change, hash }), id)
    t.is(signText(operator.key, 'change', text), signatures[0])
    t.is(signText(node.key, 'entry', hash), signatures[1])
    t.true(signatureHolds(operator.signer.key, 'change', text, signatures[0]))
    t.true(signatureHolds(node.signer.key, 'entry', hash, signatures[1]))
    t.false(signatureHolds(node.signer.key, 'change', hash, signatures[1]))
  }
  t.is<string, string>(straySource(NODE_1, printed.entries[2]?.hash ?? ''), printed.stray)
})

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
  t.deepEqual(encodeTally({ to, applied, marks: new Set([tallyMarkOf(run)]), tag }), tally)
  t.deepEqual(accepting.tag(confirming.publicKey, run, to, applied), tag)
})

/** A key of X25519 in the form of PKCS #8 (RFC 8410, section 7). */
function tallyPair(secret: string): TallyKeyPair {
  const key = Buffer.from(`302e020100300506032b656e04220420${secret}`, 'hex')
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

const refusedFrames = vectors.cases('refused-frames')

test('an alarm is taken or passed over as the page says', t => {
  const cases = vectors.json('alarms') as { alarm: unknown; isTaken: boolean }[]
  for (const { alarm, isTaken } of cases) {
    t.deepEqual(parseAlarm(alarm), isTaken ? (alarm as Alarm) : undefined)
  }
})

test('vitals are read as the page says, and what is malformed in them is passed over', t => {
  const cases = vectors.json('vitals') as { vitals: unknown; alarms?: number; sensors?: number }[]
  for (const { vitals, alarms, sensors } of cases) {
    const parsed = parseVitals(vitals)
    t.is(parsed?.alarms.length, alarms)
    t.is(parsed?.sensors.length, sensors)
  }
})

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

const limits = vectors.table('limits')

test('the limits of the wire are those of the page', t => {
  const columns: WireLimits[] = [CLIENT_LIMITS, PEER_LIMITS, NODE_LIMITS]
  for (const [index, column] of columns.entries()) {
    const said = limits.map(([name = '', ...cells]) => [
      name,
      cells[index] === 'none' ? Infinity : Number(cells[index]?.replaceAll(',', '')),
    ])
    t.deepEqual(Object.fromEntries(said), column)
  }
})

test('the hours of a history are hashed as the page says', t => {
  const page = vectors.json('hours') as {
    readonly readings: [number, number, number][]
    readonly minutes: (number | null)[][]
    readonly events: (string | number | null)[][]
    readonly commands: (string | number)[][]
    readonly hour: Omit<Hour, 'sensors'> & { sensors: (SensorHour & SensorHour['bucket'])[] }
    readonly digest: string
    readonly digestBehind: Record<string, string>
  }
  const [readings, minutes] = [new NumbersHash(), new NumbersHash()]
  for (const reading of page.readings) readings.addReading(...reading)
  for (const minute of page.minutes) minutes.addMinute(bucketIn(minute))
  const [events, commands] = [new LinesHash(), new LinesHash()]
  for (const event of page.events) events.addEvent(eventIn(event))
  for (const command of page.commands) commands.addCommand(commandIn(command))
  const { sensors, ...frame } = page.hour
  const hour: Hour = {
    ...frame,
    events: events.digest(),
    commands: commands.digest(),
    sensors: sensors.map(({ name, kind, ...bucket }) => ({
      name,
      kind,
      bucket,
      readings: readings.digest(),
      minutes: minutes.digest(),
    })),
  }
  t.is(textOf(hour), JSON.stringify(page.hour))
  t.is(digestOf('', hour), page.digest)
  for (const [previous, digest] of Object.entries(page.digestBehind)) {
    t.is(digestOf(previous, hour), digest)
  }
})

test('every vector of the page is tried', t => {
  t.deepEqual(vectors.unused, [])
})
