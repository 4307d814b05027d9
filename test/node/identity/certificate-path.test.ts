import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { pathOf } from '../../../node/identity/certificate-path.ts'
import { USAGE } from '../../../node/identity/path-rules.ts'
import {
  extension,
  makeAuthority,
  makeCertificate,
  sequence,
  type Made,
} from '../../support/chains.ts'
import { leafOf, root } from '../../support/judgement.ts'

const DAY_MS = 86_400_000
const usages = [USAGE.clientAuth]
const parse = ({ certificate }: Made): X509Certificate => new X509Certificate(certificate)

test('of several paths the one that holds longest is found', t => {
  const now = Date.now()
  const days = [3, 9, 5].map(count => now + count * DAY_MS)
  const [first, ...others] = days.map(to => makeAuthority('middle', { issuer: root, to }))
  if (first === undefined) return t.fail()
  const { subject, publicKey, privateKey } = first
  const same = others.map((_, index) =>
    makeAuthority(subject, {
      issuer: root,
      keys: { publicKey, privateKey },
      to: days[index + 1] ?? now,
    }),
  )
  const top = makeAuthority('root', { keys: root, to: now + 30 * DAY_MS })
  const path = pathOf(parse(leafOf(first, { to: now + 20 * DAY_MS })), {
    intermediates: [first, ...same].map(parse),
    trusted: [parse(top)],
    usages,
  })
  if ('broken' in path) return t.fail(path.broken)
  // Certificates count in whole seconds.
  t.is(path.notAfter, Math.floor((days[1] ?? now) / 1_000) * 1_000)
  t.deepEqual(path.issuers[1]?.raw, parse(top).raw)
})

test('attack: a maze of intermediates ends after so many signatures', t => {
  const keys = makeAuthority('maze')
  const maze = Array.from({ length: 40 }, () => makeAuthority('maze', { keys, issuer: keys }))
  const path = pathOf(parse(leafOf(keys)), {
    intermediates: maze.map(parse),
    trusted: [parse(root)],
    usages,
  })
  t.deepEqual(path, { broken: 'its chain does not lead to an authority within 64 signatures' })
})

test('attack: a certificate without a name, or whose issuer has none, is of nobody who is trusted', t => {
  const nobody = makeAuthority(sequence())
  const options = { intermediates: [], trusted: [parse(root)], usages }
  const below = pathOf(parse(makeCertificate({ subject: 'c1', issuer: nobody })), options)
  t.deepEqual(below, { broken: 'it was issued by "", and trusted is only "CN=root"' })
  const critical = extension('1.2.3', sequence(), true)
  const unnamed = makeCertificate({ subject: sequence(), issuer: root, extensions: [critical] })
  const why = 'the certificate of "" has a critical extension 1.2.3 that is not applied'
  t.deepEqual(pathOf(parse(unnamed), options), { broken: why })
})
