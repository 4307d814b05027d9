import { EventEmitter, once } from 'node:events'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { NodeConnection } from '../../../node/client/node-connection.ts'
import { authorityFiles, credentialFiles } from '../../../node/identity/credential-files.ts'
import type { Credentials } from '../../../node/identity/credentials.ts'
import { parseName, parseSubject } from '../../../node/identity/names.ts'
import { startNode } from '../../../node/start.ts'
import { makeTestCerts, makeTestFolder, type TestCerts } from '../../support/certs.ts'
import { runCommand } from '../../support/cli.ts'
import {
  ClusterLog,
  startCluster,
  testConfig,
  until,
  untilReachable,
  type Cluster,
} from '../../support/cluster.ts'
import { connectRaw, type RawPeer } from '../../support/raw-peer.ts'

const NODES = [1, 2, 3]

async function certsCommand({ dir }: TestCerts, ...args: string[]): Promise<void> {
  const { status, err } = await runCommand(['certs', ...args], { env: { FRIDGE_CERTS: dir } })
  if (status !== 0) throw new Error(err)
}

/** Wait until every node works with its certificate of now, and trusts so many authorities. */
async function untilInForce(
  cluster: Cluster,
  authorities: number,
  nodes: readonly number[] = NODES,
): Promise<void> {
  for (const index of nodes) {
    const node = `node-${index}`
    const { identity } = await cluster.certs.load('node', node)
    await cluster.log.find(
      line =>
        line.node === node &&
        line.text === 'new certificates are in force' &&
        line.fields['certificate'] === identity.fingerprint &&
        line.fields['authorities'] === authorities,
    )
  }
}

/** A client that counts what comes, over `fridge/1`. */
interface Listener {
  readonly connection: NodeConnection
  /** Open and close the door of its node, and wait until it has heard of both. */
  readonly hears: () => Promise<void>
  /** Why it ended, if it has. */
  readonly ending: () => string | undefined
}

async function listen(cluster: Cluster, index: number, name: string): Promise<Listener> {
  const heard = new EventEmitter()
  const connection = await cluster.client(index, name, {
    onEvent: (_, { type }) => heard.emit(type),
  })
  let ending: string | undefined
  void connection.ended.then(({ code }) => {
    ending = code
    heard.emit('error', new Error(`the connection to node-${index} ended: ${code}`))
  })
  heard.on('error', () => {})
  return {
    connection,
    hears: async () => {
      const opened = once(heard, 'open')
      cluster.node(index).fridge?.openDoor()
      await opened
      const closed = once(heard, 'close')
      cluster.node(index).fridge?.closeDoor()
      await closed
    },
    ending: () => ending,
  }
}

/** As `hears` of a listener, over the plain protocol. */
async function plainHears(cluster: Cluster, index: number, { lines }: RawPeer): Promise<void> {
  const from = lines.all.length
  const opened = lines.find(/\\"open\\"/, from)
  cluster.node(index).fridge?.openDoor()
  await opened
  const closed = lines.find(/\\"close\\"/, from)
  cluster.node(index).fridge?.closeDoor()
  await closed
}

async function nodesThatConfirm(cluster: Cluster, client: string): Promise<string[]> {
  await using operator = await cluster.operator(1)
  const { confirmed, silent } = await operator.change(
    { kind: 'grant', subject: parseSubject(client), terms: {} },
    { waitMs: 20_000 },
  )
  return [
    ...confirmed.map(({ node }) => String(node)),
    ...silent.map(node => `${node} is silent`),
  ].sort()
}

/** A session that can be resumed: with TLS 1.3 tickets come before the first stream. */
async function sessionOf({ socket, lines }: RawPeer): Promise<Buffer> {
  await lines.find(/./)
  const session = socket.getSession()
  if (session === undefined) throw new Error('there is no session')
  return session
}

/** The certificate that a node shows now. */
async function shownBy(
  t: ExecutionContext,
  cluster: Cluster,
  index: number,
  as: Credentials,
): Promise<string> {
  const { socket } = await connectRaw(t, cluster.node(index).address, as)
  const shown = socket.getPeerX509Certificate()?.fingerprint256 ?? ''
  socket.destroy()
  return shown.replaceAll(':', '').toLowerCase()
}

test('certificates and then the authority are replaced while everybody stays connected', async t => {
  await using cluster = await startCluster(t, { nodes: 3 })
  const { certs } = cluster
  const old = await certs.load('client', 'c1')
  await cluster.grant(1, 'c1')
  await cluster.revoke(2, 'c2')
  const early = await Promise.all(NODES.map(async index => listen(cluster, index, 'c1')))
  const plain = await connectRaw(t, cluster.node(1).address, old)
  const hear = async (listeners: readonly Listener[]): Promise<void> => {
    for (const { hears } of listeners) await hears()
  }
  await hear(early)
  await plainHears(cluster, 1, plain)

  // Certificates of nodes, with new keys.
  const before = await shownBy(t, cluster, 2, old)
  for (const index of NODES)
    await certsCommand(certs, 'renew', 'node', `node-${index}`, '--new-key', '--days', '90')
  await untilInForce(cluster, 1)
  const ends = new Map<string, number>()
  for (const index of NODES) {
    const { identity } = await certs.load('node', `node-${index}`)
    t.is(await shownBy(t, cluster, index, old), identity.fingerprint)
    t.not(identity.fingerprint, before)
    t.is(cluster.node(index).certificateEndsAt, identity.notAfter)
    ends.set(identity.name, identity.notAfter)
  }
  await until(async () => {
    await using operator = await cluster.operator(1)
    const { nodes } = await operator.status()
    return nodes.every(({ name, certificateEndsAt }) => certificateEndsAt === ends.get(name))
  })
  await hear(early)
  await plainHears(cluster, 1, plain)
  t.deepEqual(await nodesThatConfirm(cluster, 'c1'), ['node-1', 'node-2', 'node-3'])

  // A second authority beside the first, and everybody's certificates signed by it.
  await certsCommand(certs, 'rotate-ca', 'begin')
  await untilInForce(cluster, 2)
  await certsCommand(certs, 'renew', '--all')
  await untilInForce(cluster, 2)
  await hear(early)
  await plainHears(cluster, 1, plain)
  t.deepEqual(await nodesThatConfirm(cluster, 'c1'), ['node-1', 'node-2', 'node-3'])
  const late = await Promise.all(NODES.map(async index => listen(cluster, index, 'c1')))
  const { address } = cluster.node(1)
  const c1 = { ...old, ca: await bundleOf(certs) }
  const session = await sessionOf(await connectRaw(t, address, c1))
  const resumed = await connectRaw(t, address, c1, { session })
  t.true(resumed.socket.isSessionReused())
  await resumed.lines.find(/./)
  // Two links that were made at once are one too many; no other ended.
  const ended = cluster.log.lines.filter(({ text }) => text === 'link ended')
  t.true(ended.every(({ fields }) => fields['reason'] === 'duplicate'))

  // The first authority goes: those whom it alone vouches for go with it, and nobody else.
  await certsCommand(certs, 'rotate-ca', 'finish')
  await untilInForce(cluster, 1)
  for (const { connection } of early) {
    const ended = await connection.ended
    t.is(ended.code, 'ERR_NOT_TRUSTED')
    t.is(
      ended.message,
      'the authority that signed the certificate of client/c1 is not trusted any more',
    )
  }
  await Promise.all([plain.closed, resumed.closed])
  await hear(late)
  t.deepEqual(
    late.map(({ ending }) => ending()),
    [undefined, undefined, undefined],
  )
  for (const index of NODES) await untilReachable(cluster, index, 3)
  t.deepEqual(await nodesThatConfirm(cluster, 'c1'), ['node-1', 'node-2', 'node-3'])
  // Neither a new handshake nor a session from before lets in who has the old certificate.
  const seen = [...cluster.log.lines]
  for (const more of [{}, { session }]) {
    const refused = await connectRaw(t, address, c1, more)
    await refused.closed
    t.deepEqual(refused.lines.all, [])
    const { fields } = await cluster.log.find(
      line => line.text === 'handshake failed' && !seen.includes(line),
    )
    seen.push(...cluster.log.lines)
    t.is(fields['reason'], 'SELF_SIGNED_CERT_IN_CHAIN')
  }
})

async function bundleOf({ dir }: TestCerts): Promise<string> {
  return readFile(authorityFiles(dir).certificateFile, 'utf8')
}

test('a change signed before the rotation holds on a node that joins after it, by the former authority alone', async t => {
  await using cluster = await startCluster(t, { nodes: 1 })
  const { certs } = cluster
  const { certificateFile, formerFile } = authorityFiles(certs.dir)
  await cluster.grant(1, 'c1')
  await cluster.revoke(1, 'c2')
  for (const step of [
    ['rotate-ca', 'begin'],
    ['renew', '--all'],
    ['rotate-ca', 'finish'],
  ]) {
    await certsCommand(certs, ...step)
  }
  await untilInForce(cluster, 1, [1])
  await cluster.start(2)
  await using operator = await cluster.operator(2)
  t.is((await operator.show(parseSubject('c2'))).standing, 'revoked')
  await using client = await cluster.client(2, 'c1')
  t.is(String(client.node), 'node-2')

  // The same without the former authority: nothing of it holds, and the link is cut with the reason.
  const bare = await makeTestFolder(t)
  await cp(certs.dir, bare, { recursive: true })
  await rm(join(bare, 'ca', 'former.pem'))
  const log = new ClusterLog()
  const config = testConfig('node-3', {
    certs: bare,
    data: await makeTestFolder(t),
    config: { peers: [cluster.address(1)], gossip: { redialMinMs: 10, firstSyncMs: 1 } },
  })
  await using node = await startNode(config, { log: log.of('node-3') })
  const cut = await log.find(({ text }) => text === 'link cut: the peer broke the protocol')
  t.regex(
    String(cut.fields['detail']),
    /the certificate of (node|operator)\/.* is not trusted: it was issued by "CN=test\.fridge CA"/,
  )
  t.is(node.name, parseName('node-3'))

  // And a former authority vouches for changes only: nobody gets in by it.
  const stranger = await makeTestCerts(t, { clients: ['c1'], operators: ['admin'] })
  await writeFile(formerFile, stranger.ca)
  t.not(await cluster.node(1).reload(), 'refused')
  const ca = await readFile(certificateFile, 'utf8')
  for (const role of ['client', 'operator'] as const) {
    const name = role === 'client' ? 'c1' : 'admin'
    const peer = await connectRaw(
      t,
      cluster.node(1).address,
      { ...(await stranger.load(role, name)), ca },
      { alpn: true },
    )
    await peer.closed
    t.deepEqual(peer.lines.all, [])
  }
})

test('new files that do not fit change nothing, and are said with the reason', async t => {
  await using cluster = await startCluster(t, { nodes: 1 })
  const { certs } = cluster
  await cluster.grant(1, 'c1')
  const c1 = await certs.load('client', 'c1')
  const listener = await listen(cluster, 1, 'c1')
  const { keyFile, certificateFile, caFile } = credentialFiles(
    certs.dir,
    'node',
    parseName('node-1'),
  )
  const shown = await shownBy(t, cluster, 1, c1)
  const other = await makeTestCerts(t, { nodes: ['node-1'] })
  const theirs = await other.load('node', 'node-1')
  const bundle = await readFile(caFile, 'utf8')
  for (const [file, text, reason] of [
    [keyFile, theirs.key, /is not the key of this certificate/],
    [keyFile, 'nonsense', /holds no private key/],
    [certificateFile, theirs.certificate, /is not the key of this certificate/],
    [caFile, theirs.ca, /no authority in .* vouches for it/],
    [caFile, bundle.slice(0, -60), /one is cut off/],
    [caFile, '', /is not a certificate/],
  ] as const) {
    const whole = await readFile(file)
    await writeFile(file, text)
    const from = cluster.log.lines.length
    t.is(await cluster.node(1).reload(), 'refused')
    const line = cluster.log.lines.slice(from).find(({ level }) => level === 'error')
    t.regex(String(line?.fields['reason']), reason)
    t.is(await shownBy(t, cluster, 1, c1), shown)
    await writeFile(file, whole)
    t.is(await cluster.node(1).reload(), 'unchanged')
  }
  await listener.hears()
  t.is(listener.ending(), undefined)
})
