import { generateKeyPairSync, sign } from 'node:crypto'
import test from 'ava'
import { rawSignature, wholeSignature } from '../../../node/gossip/raw-signature.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'

test('the two numbers of a signature come back as the same DER', t => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const raw = sign('sha256', Buffer.from('text'), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  t.deepEqual(rawSignature(wholeSignature(raw)), raw)
  const der = sign('sha256', Buffer.from('text'), privateKey)
  t.deepEqual(wholeSignature(rawSignature(der) ?? Buffer.alloc(0)), der)
})

test('numbers that begin with zeros, or with what would be a sign, come back', t => {
  for (const first of ['00', '0000', '80', '0080', '7f', 'ff']) {
    const raw = Buffer.from(first.padEnd(64, '1').repeat(2), 'hex')
    t.deepEqual(rawSignature(wholeSignature(raw)), raw)
  }
  t.is(wholeSignature(Buffer.alloc(64)).toString('hex'), '3006020100020100')
})

test('each of ten thousand signatures comes back, however small its numbers are', t => {
  const random = seededRandom(1)
  const different = new Set<string>()
  for (let run = 0; run < 10_000; run += 1) {
    const raw = Buffer.from(
      [0, 32].flatMap(() => {
        const zeros = random() < 0.5 ? 0 : Math.floor(random() * 33)
        return Array.from({ length: 32 }, (_, at) => (at < zeros ? 0 : Math.floor(random() * 256)))
      }),
    )
    const der = wholeSignature(raw)
    different.add(der.toString('hex'))
    if (rawSignature(der)?.equals(raw) !== true) t.fail(raw.toString('hex'))
  }
  t.true(different.size > 9_900)
})

test('what is no signature of P-256 in its only form is left as it is', t => {
  const long = wholeSignature(Buffer.alloc(64, 1))
  for (const other of [
    Buffer.alloc(0),
    Buffer.alloc(64, 1),
    long.subarray(1),
    Buffer.concat([long, Buffer.alloc(1)]),
    Buffer.from('30080202000102020001', 'hex'),
    Buffer.from(`3046022100${'80'.repeat(33)}0221${'01'.repeat(33)}`, 'hex'),
  ]) {
    t.is(rawSignature(other), undefined)
  }
})
