import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../node/lib/clock.ts'
import type { Credentials } from '../../../node/identity/credentials.ts'
import { Trust } from '../../../node/identity/trust.ts'
import { identityOf } from '../../../node/identity/identity.ts'
import { makeTestCerts, type TestCerts } from '../../support/certs.ts'
import {
  CLIENT_AUTH,
  DIGITAL_SIGNATURE,
  ecKeys,
  extendedKeyUsage,
  keyUsage,
  makeAuthority,
  makeCertificate,
  pemOf,
} from '../../support/chains.ts'

interface Setting {
  readonly certs: TestCerts
  /** What the node has, and what it would have with the bundles of two authorities, or of the other. */
  readonly own: Credentials
  readonly both: Credentials
  readonly other: Credentials
  readonly c1: Credentials
  readonly c2: Credentials
}

/** A node with clients of two authorities. */
async function setting(t: ExecutionContext): Promise<Setting> {
  const [certs, others] = await Promise.all([
    makeTestCerts(t, { nodes: ['alpha'], clients: ['c1'] }),
    makeTestCerts(t, { clients: ['c2'] }),
  ])
  const own = await certs.load('node', 'alpha')
  return {
    certs,
    own,
    both: { ...own, ca: `${certs.ca}${others.ca}` },
    other: { ...own, ca: others.ca },
    c1: await certs.load('client', 'c1'),
    c2: await others.load('client', 'c2'),
  }
}

/** A client's connection as its node sees it. */
async function connected(
  t: ExecutionContext,
  own: Credentials,
  who: Credentials,
): Promise<TLSSocket> {
  const { key, certificate: cert } = own
  const server = createServer({ key, cert, ca: who.ca, requestCert: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect({
    ...(server.address() as AddressInfo),
    host: '127.0.0.1',
    key: who.key,
    cert: who.certificate,
    ca: own.ca,
  })
  t.teardown(() => {
    socket.destroy()
    server.close()
  })
  const [accepted] = (await once(server, 'secureConnection')) as [TLSSocket]
  accepted.on('error', () => {})
  return accepted
}

test('an authority that goes takes along those whom it alone vouches for', async t => {
  const { own, both, other, c1, c2 } = await setting(t)
  const trust = new Trust(both, systemClock)
  trust.hold(await connected(t, own, c1), c1.identity, both)
  trust.hold(await connected(t, own, c2), c2.identity, both)
  t.true(trust.vouchesFor(c1.identity))
  t.true(trust.vouchesFor(c2.identity))
  const removed = trust.replace(other)
  t.is(removed.length, 1)
  t.false(trust.vouchesFor(c1.identity))
  t.true(trust.vouchesFor(c2.identity))
  t.is(trust.credentials, other)
})

test('another authority beside those before changes nothing for anybody', async t => {
  const { own, both, c1 } = await setting(t)
  const trust = new Trust(own, systemClock)
  trust.hold(await connected(t, own, c1), c1.identity, own)
  t.deepEqual(trust.replace(both), [])
  t.true(trust.vouchesFor(c1.identity))
})

test('a step that is taken back leaves everybody as before', async t => {
  const { own, both, other, c1 } = await setting(t)
  const trust = new Trust(both, systemClock)
  trust.hold(await connected(t, own, c1), c1.identity, both)
  trust.replace(other)
  trust.replace(both)
  t.true(trust.vouchesFor(c1.identity))
})

test('a handshake that began before its authority went does not slip in after', async t => {
  const { own, both, other, c1, c2 } = await setting(t)
  const trust = new Trust(both, systemClock)
  trust.replace(other)
  trust.hold(await connected(t, own, c1), c1.identity, both)
  trust.hold(await connected(t, own, c2), c2.identity, both)
  t.false(trust.vouchesFor(c1.identity))
  t.true(trust.vouchesFor(c2.identity))
})

test('nobody is vouched for who is not connected, and each connection counts', async t => {
  const { own, c1 } = await setting(t)
  const trust = new Trust(own, systemClock)
  t.false(trust.vouchesFor(c1.identity))
  const sockets = [await connected(t, own, c1), await connected(t, own, c1)] as const
  for (const socket of sockets) trust.hold(socket, c1.identity, own)
  for (const [socket, left] of [
    [sockets[0], true],
    [sockets[1], false],
  ] as const) {
    const closed = once(socket, 'close')
    socket.destroy()
    await closed
    t.is(trust.vouchesFor(c1.identity), left)
  }
  // One that closed before it was noted would never be forgotten.
  trust.hold(sockets[0], c1.identity, own)
  t.false(trust.vouchesFor(c1.identity))
})

test('former authorities stand behind signatures only', async t => {
  const { own, other, c1 } = await setting(t)
  const trust = new Trust(other, systemClock)
  trust.replace({ ...other, former: own.ca })
  t.is(trust.signing.length, 2)
  trust.hold(await connected(t, own, c1), c1.identity, own)
  t.false(trust.vouchesFor(c1.identity))
})

const DAY_MS = 86_400_000

/** A client below an intermediate of an authority of their own. */
function clientBelow(ends: { readonly intermediate: number }, keys = ecKeys()) {
  const root = makeAuthority('root', { to: Date.now() + 900 * DAY_MS })
  const intermediate = (to: number) => makeAuthority('site', { issuer: root, keys, to })
  const site = intermediate(ends.intermediate)
  const leaf = makeCertificate({
    subject: 'c1',
    issuer: site,
    extensions: [keyUsage(DIGITAL_SIGNATURE), extendedKeyUsage(CLIENT_AUTH)],
    to: Date.now() + 300 * DAY_MS,
  })
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const shows = (above: ReturnType<typeof intermediate>): Credentials =>
    ({ key, certificate: pemOf(leaf, above), ca: pemOf(root) }) as Credentials
  return { site, intermediate, shows, identity: identityOf(leaf.certificate), ca: pemOf(root) }
}

/** A moment that a certificate can say. */
const inDays = (days: number): number => Math.floor(Date.now() / 1_000 + days * 86_400) * 1_000

test('whoever is connected may stay until the first certificate of the chain ends', async t => {
  const { own, c1 } = await setting(t)
  const end = inDays(20)
  const { site, shows, identity, ca } = clientBelow({ intermediate: end })
  const both = { ...own, ca: `${own.ca}${ca}` }
  const trust = new Trust(both, systemClock)
  const who = { ...shows(site), ca }
  const held = trust.hold(await connected(t, both, who), identity, both)
  t.is(held.notAfter, end)
  t.like(held, { subject: identity.subject, fingerprint: identity.fingerprint })
  const whole = trust.hold(await connected(t, both, c1), c1.identity, both)
  t.is(whole.notAfter, c1.identity.notAfter)
})

test('an intermediate that was renewed lets its clients stay longer', async t => {
  const { own } = await setting(t)
  const { site, intermediate, shows, identity, ca } = clientBelow({ intermediate: inDays(20) })
  const both = { ...own, ca: `${own.ca}${ca}` }
  const trust = new Trust(both, systemClock)
  trust.hold(await connected(t, both, shows(site)), identity, both)
  const end = inDays(40)
  const renewed = await connected(t, both, shows(intermediate(end)))
  t.is(trust.hold(renewed, identity, both).notAfter, end)
})
