import test from 'ava'
import {
  compactCertificate,
  ownSize,
  wholeCertificate,
} from '../../../node/gossip/compact-certificate.ts'
import { makePeople, type PeopleOptions } from '../../support/replica-people.ts'

async function certificateOf(keyType: PeopleOptions['keyType']): Promise<Buffer> {
  const people = await makePeople({ nodes: ['alpha'], ...(keyType && { keyType }) })
  return Buffer.from(people.node('alpha').signer.chain[0] ?? '', 'base64')
}

test('a certificate comes back byte for byte, though half of its key and the hash of it are left out', async t => {
  const der = await certificateOf('ecdsa')
  const compact = compactCertificate(der)
  t.truthy(compact)
  if (compact === undefined) return
  t.deepEqual(wholeCertificate(compact), der)
  t.is(ownSize(compact.common), compact.own.length)
  t.true(compact.common.length + compact.own.length <= der.length - 32 - 20 - 6)
})

test('certificates of one authority differ in names and lengths alone, but for what is their own', async t => {
  const people = await makePeople({ nodes: ['alpha', 'gamma'] })
  const [one, other] = ['alpha', 'gamma'].map(name => {
    const der = Buffer.from(people.node(name).signer.chain[0] ?? '', 'base64')
    return compactCertificate(der)?.common.toString('latin1').replaceAll(name, 'NAME')
  })
  // The length of all of it depends on its signature.
  t.is(one?.slice(4), other?.slice(4))
})

test('a certificate of another kind of key is left as it is', async t => {
  t.is(compactCertificate(await certificateOf('ed25519')), undefined)
})

test('a certificate that names its key by anything but its hash is left as it is', async t => {
  const der = await certificateOf('ecdsa')
  const at = der.indexOf(Buffer.from('0603551d0e04160414', 'hex')) + 9
  der.writeUInt8(der.readUInt8(at) ^ 1, at)
  t.is(compactCertificate(der), undefined)
})

test('a point that is not on the curve makes no certificate', async t => {
  const compact = compactCertificate(await certificateOf('ecdsa'))
  if (compact === undefined) return t.fail()
  const { common, own } = compact
  for (const point of [`02${'ff'.repeat(32)}`, `05${'11'.repeat(32)}`, `00${'00'.repeat(32)}`]) {
    const other = Buffer.from(own)
    other.set(Buffer.from(point, 'hex'), own.length - 64 - 33)
    t.is(wholeCertificate({ common, own: other }), undefined)
  }
  t.is(wholeCertificate({ common, own: own.subarray(0, 64) }), undefined)
  t.is(wholeCertificate({ common: common.subarray(0, 20), own }), undefined)
  t.is(ownSize(Buffer.from('a003')), undefined)
  return undefined
})
