import { randomBytes } from 'node:crypto'
import test from 'ava'
import { createAuthority, openAuthority } from '../../../node/authority/authority.ts'
import { createIssuer } from '../../../node/authority/issuer.ts'
import { issueCertificate, signCertificate } from '../../../node/authority/issue.ts'
import { generateKeys } from '../../../node/authority/key-type.ts'
import { DAY_MS } from '../../../node/authority/validity.ts'
import { parseCertificates } from '../../../node/identity/certificate-chain.ts'
import { pathOf } from '../../../node/identity/certificate-path.ts'
import { parseName, ROLES, type Role } from '../../../node/identity/names.ts'
import { usagesOf } from '../../../node/identity/path-rules.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { connectRaw } from '../../support/raw-peer.ts'
import { readAuthority } from '../../../node/authority/key-store.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const now = Date.now()
const common = { now, random: randomBytes }

async function issuerOf(node: string) {
  const authority = await readAuthority(certs.dir)
  const pair = await createIssuer({ authority, node: parseName(node), ...common })
  return openAuthority(pair, 'the issuing key')
}

/** Why a certificate of an issuing key is not one of a role; undefined where it is. */
async function objection(role: Role, more: { hasUri: boolean; trustDomain?: string }) {
  const { publicKey } = await generateKeys('ecdsa')
  const authority = await issuerOf('node-1')
  const name = parseName('mallory')
  const pem = await signCertificate({ authority, role, name, publicKey, ...common, ...more })
  const [leaf, ...intermediates] = parseCertificates(pem, 'a test')
  const trusted = parseCertificates(certs.ca, 'a test')
  const path = pathOf(leaf, { intermediates, trusted, usages: usagesOf(role), at: now })
  return 'broken' in path ? path.broken : undefined
}

test('an issuing key names clients by their CN, and nobody in any URI', async t => {
  t.is(await objection('client', { hasUri: false }), undefined)
  for (const role of ROLES) {
    for (const trustDomain of ['test.fridge', 'fridge', 'none.invalid']) {
      const why = await objection(role, { hasUri: true, trustDomain })
      t.regex(why ?? '', /nameConstraints|is not for serverAuth/, `${role} ${trustDomain}`)
    }
  }
})

test('attack: whoever steals an issuing key is no operator and no node, to OpenSSL neither', async t => {
  await using cluster = await startCluster(t, { certs })
  const authority = await issuerOf('node-1')
  for (const [role, trustDomain] of [
    ['operator', 'test.fridge'],
    ['operator', 'none.invalid'],
    ['node', 'test.fridge'],
  ] as const) {
    const name = parseName(role === 'node' ? 'node-2' : 'admin')
    const pair = await issueCertificate({ authority, role, name, trustDomain, ...common })
    const peer = await connectRaw(t, cluster.node(1).address, { ...pair, ca: certs.ca })
    await peer.closed
    // Node.js has no name for a name constraint that is violated.
    const failed = cluster.log.lines.filter(({ text }) => text === 'handshake failed').at(-1)
    t.regex(String(failed?.fields['reason']), /UNSPECIFIED|INVALID_PURPOSE/)
    t.is(failed?.fields['address'], '127.0.0.1')
  }
})

test('an issuing key signs no other authority, and ends with its own authority at the latest', async t => {
  const pair = await createAuthority({ trustDomain: 'short', days: 5, ...common })
  const authority = openAuthority(pair, 'a test')
  const node = parseName('node-1')
  const issuer = openAuthority(await createIssuer({ authority, node, ...common }), 'a test')
  t.true(issuer.certificate.validToDate.getTime() <= now + 5 * DAY_MS)
  await t.throwsAsync(createIssuer({ authority: issuer, node, ...common }), {
    code: 'ERR_CERTIFICATE',
    message: /none can stand below it/,
  })
})
