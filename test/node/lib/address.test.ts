import test from 'ava'

import { formatAddress, parseAddress, readAddress } from '../../../node/lib/address.ts'
import { FridgeError } from '../../../node/lib/errors.ts'

test('names, IPv4 and bracketed IPv6 addresses are read and written back the same', t => {
  const texts = ['127.0.0.1:7443', 'node-1:1', 'a.example.org:65535', '[::1]:7443', 'node_1:80']
  for (const text of texts) {
    const address = readAddress(text)
    if (address === undefined) t.fail(text)
    else t.is(formatAddress(address), text)
  }
  t.deepEqual(readAddress('[fe80::1%eth0]:7443'), { host: 'fe80::1%eth0', port: 7443 })
  t.deepEqual(readAddress('127.0.0.1:0'), { host: '127.0.0.1', port: 0 })
})

test('what is no address is refused', t => {
  const wrong = [
    '',
    'host',
    ':1',
    'host:',
    'host:x',
    'host:65536',
    'host:-1',
    'host:1.5',
    '::1:7443',
  ]
  wrong.push('[::1]', '[::1]7443', '[1.2.3.4]:1', '[x]:1', '256.1.1.1:1', '1.2.3:1', 'a b:1')
  wrong.push('a..b:1', '-a:1', 'http://a:1', 'a:1/x', 'a:1\n', `${'a'.repeat(300)}:1`)
  for (const text of wrong) t.is(readAddress(text), undefined, text)
  t.is(readAddress(undefined), undefined)
  t.is(readAddress(7443), undefined)
})

test('the address of a node that a person typed needs a real port', t => {
  t.deepEqual(parseAddress('node-1:7443'), { host: 'node-1', port: 7443 })
  for (const text of ['node-1', 'node-1:0']) {
    const error = t.throws(() => parseAddress(text), { instanceOf: FridgeError })
    t.is(error.code, 'ERR_USAGE')
    t.regex(error.fix ?? '', /HOST:PORT/)
  }
})
