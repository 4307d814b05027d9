import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { readElements, readOnly, TAG } from '../../../node/identity/der.ts'
import { makeTestCerts } from '../../support/certs.ts'
import { makeSharedCerts, PEOPLE, startCluster } from '../../support/cluster.ts'
import { connectRaw, type RawPeer } from '../../support/raw-peer.ts'
import { SkipClock } from '../../support/skip-clock.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const c1 = await certs.load('client', 'c1')
test.after.always(() => shared.remove())

const config = { tls: { minVersion: 'TLSv1.2' } }
const HOUR_MS = 3_600_000

/** With TLS 1.3 tickets come behind the handshake, so before the first stream. */
async function sessionOf(peer: RawPeer): Promise<Buffer> {
  await peer.stream('door')
  const session = peer.socket.getSession()
  if (session === undefined) throw new Error('there is no session')
  return session
}

/** For how many seconds a node says that its ticket is good: field 9 of OpenSSL's SSL_SESSION. */
function lifetimeOf(session: Buffer): number {
  const der = session.subarray(session.indexOf(Buffer.from([TAG.sequence, 0x82])))
  const field = readElements(readOnly(der, TAG.sequence)).find(({ tag }) => tag === 0xa9)
  const hint = readOnly(field?.content ?? new Uint8Array(), TAG.integer)
  return hint.reduce((seconds, byte) => seconds * 256 + byte, 0)
}

for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
  const versions = { minVersion: version, maxVersion: version }

  test(`a ticket of ${version} is good for five minutes, after new certificates too`, async t => {
    const certs = await makeTestCerts(t, PEOPLE)
    const c1 = await certs.load('client', 'c1')
    await using cluster = await startCluster(t, { certs, config })
    await cluster.grant(1, 'c1')
    const { address } = cluster.node(1)
    const before = await sessionOf(await connectRaw(t, address, c1, versions))
    t.is(lifetimeOf(before), 300)
    await certs.issue('node', 'node-1')
    const renewed = new X509Certificate((await certs.load('node', 'node-1')).certificate)
    // The node watches its files, and may have taken up the certificate before it is told to.
    t.not(await cluster.node(1).reload(), 'refused')
    const after = await connectRaw(t, address, c1, { ...versions, session: before })
    t.is(after.socket.getPeerX509Certificate()?.fingerprint256, renewed.fingerprint256)
    t.false(after.socket.isSessionReused())
    t.is(lifetimeOf(await sessionOf(after)), 300)
  })

  test(`a ticket of ${version} is worth nothing once an hour has replaced its key`, async t => {
    const clock = new SkipClock()
    await using cluster = await startCluster(t, { certs, config, clock })
    await cluster.grant(1, 'c1')
    const { address } = cluster.node(1)
    const session = await sessionOf(await connectRaw(t, address, c1, versions))
    const early = await connectRaw(t, address, c1, { ...versions, session })
    t.true(early.socket.isSessionReused())
    clock.skip(HOUR_MS)
    // Behind whatever fell due.
    await clock.sleep(0)
    const late = await connectRaw(t, address, c1, { ...versions, session })
    t.false(late.socket.isSessionReused())
    const next = await sessionOf(late)
    clock.skip(HOUR_MS)
    await clock.sleep(0)
    const last = await connectRaw(t, address, c1, { ...versions, session: next })
    t.false(last.socket.isSessionReused(), 'the key is replaced each hour')
  })
}
