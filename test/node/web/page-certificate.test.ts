import test from 'ava'
import { ofNode, hostsOf, ownOrigins } from '../../../node/web/page-certificate.ts'
import { makeTestCerts } from '../../support/certs.ts'

test('the hosts of a certificate are its names and addresses of both kinds, without wildcards', async t => {
  const certs = await makeTestCerts(t)
  const hosts = ['a.example', '*.b.example', '::1', '2001:db8::5:0:0:1', '10.1.2.3']
  await certs.issue('node', 'node-1', { hosts })
  const credentials = ofNode(await certs.load('node', 'node-1'))
  t.deepEqual(hostsOf(credentials), ['a.example', '::1', '2001:db8::5:0:0:1', '10.1.2.3'])
  t.deepEqual(Array.from(ownOrigins(credentials, 8443)).slice(0, 2), [
    'https://a.example:8443',
    'https://[::1]:8443',
  ])
})
