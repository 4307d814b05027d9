import { hash, randomBytes } from 'node:crypto'
import test from 'ava'
import { denseText, readDenseText, type DenseText } from '../../../node/gossip/dense-text.ts'
import { pack, unpack } from '../../../node/gossip/frame-packing.ts'
import { makePeople } from '../../support/replica-people.ts'

const ENOUGH = { maxBytes: 1_000_000, characters: 1_000_000 }

function readBack(dense: DenseText, limits = ENOUGH): string | undefined {
  return readDenseText(dense, limits)?.toString()
}

/** A certificate, and its fingerprint behind it. */
async function signed(): Promise<string> {
  const people = await makePeople({ nodes: ['alpha'] })
  const { chain, identity } = people.node('alpha').signer
  return JSON.stringify([{ certificate: chain }, { certificate: identity.fingerprint }])
}

test('whatever JSON is written comes back as it was', t => {
  const bytes = randomBytes(65)
  for (const value of [
    '',
    'é 中 😀 \u0001\u0008',
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    `${bytes.toString('hex')}0`,
    'a-very-long-name-that-is-no-bytes-at-all',
    `${'x'.repeat(25)}=`,
    'node-1#0123456789abcdef',
    'node-1#0123456789abcdef.state node-1#0123456789abcdef0 a#b#0123456789abcdef',
    `${'n'.repeat(70)}#0123456789abcdef`,
    'A'.repeat(200_000),
  ]) {
    const json = JSON.stringify([value, value])
    t.is(readBack(denseText(json)), json)
  }
})

test('a run is named once, and digits stand as the bytes that they are', t => {
  const run = 'node-1#0123456789abcdef'
  const { text, bytes } = denseText(JSON.stringify([run, run, `${run}.state`]))
  t.is(bytes.toString('hex'), '0123456789abcdef')
  t.is(text.toString(), '["\u0007\u0006node-1","\u0008\u0000","\u0008\u0000.state"]')
})

test('the fingerprint of a certificate that went before takes two bytes', async t => {
  const json = await signed()
  const { text, bytes } = denseText(json)
  t.true(text.toString('latin1').endsWith('"certificate":"\u0006\u0000"}]'))
  t.true(bytes.length < 64 + 33 + 21)
  t.is(readBack({ text, bytes }), json)
})

test('of certificates no more are worked out than their sender has paid for', async t => {
  const { text, bytes } = denseText(await signed())
  t.is(readBack({ text, bytes }, { ...ENOUGH, characters: 119 }), undefined)
  t.truthy(readBack({ text, bytes }, { ...ENOUGH, characters: 120 }))
})

test('however alike certificates are, each takes what its reader wants to be paid for it', async t => {
  const [der = ''] = (await makePeople({ nodes: ['alpha'] })).node('alpha').signer.chain
  const bytes = Buffer.from(der, 'base64')
  // The shortest serial number that there is, and nothing else that differs.
  const serial = bytes.indexOf(Buffer.from('a00302010202', 'hex')) + 6
  const short = Buffer.concat([
    bytes.subarray(0, serial),
    Buffer.from([1, 1]),
    bytes.subarray(serial + 1 + (bytes[serial] ?? 0)),
  ])
  const packed = pack(Array.from({ length: 300 }, () => JSON.stringify([short.toString('base64')])))
  t.is((unpack(JSON.parse(packed ?? '') as object, 32) as unknown[]).length, 300)
})

test('a certificate that is too long to be a piece is no piece, and none that is counted', async t => {
  const [der = ''] = (await makePeople({ nodes: ['alpha'] })).node('alpha').signer.chain
  const bytes = Buffer.from(der, 'base64')
  const names = bytes.indexOf(Buffer.from('30130607', 'hex'))
  const long = Buffer.concat([
    bytes.subarray(0, names),
    Buffer.alloc(40_000, 1),
    bytes.subarray(names),
  ])
  const json = JSON.stringify([
    der,
    long.toString('base64'),
    hash('sha256', bytes),
    hash('sha256', long),
  ])
  t.true(readBack(denseText(json)) === json)
})

test('whatever bytes of a certificate are others, it comes back as it was', async t => {
  const [der = ''] = (await makePeople({ nodes: ['alpha'] })).node('alpha').signer.chain
  const bytes = Buffer.from(der, 'base64')
  for (const [at, byte] of bytes.entries()) {
    const other = Buffer.from(bytes)
    other[at] = byte ^ (1 << (at % 8))
    const cut = bytes.subarray(0, at)
    const json = JSON.stringify([other, cut].map(one => one.toString('base64')))
    t.is(readBack(denseText(json)), json)
  }
})

test('a few bytes that stand for many are not read beyond what they may be', t => {
  const text = Buffer.from(`\u0007\u0040${'n'.repeat(64)}${'\u0008\u0000'.repeat(1_000)}`)
  const dense = { text, bytes: Buffer.alloc(8) }
  t.is(readBack(dense)?.length, 81 * 1_001)
  t.is(readBack(dense, { ...ENOUGH, maxBytes: 81 * 1_001 - 1 }), undefined)
})

for (const [what, text] of [
  ['of a kind that there is not', '\u0009'],
  ['that is cut off', '\u0003'],
  ['of more bytes than there are', '\u0003\u0009'],
  ['that names a run by a longer name than there is', '\u0007\u0009node'],
  ['of a run that was not named', '\u0008\u0000'],
  ['of a certificate that did not go before', '\u0006\u0000'],
  ['of a certificate that is none', '\u0005\u0004abcd'],
  ['of a signature without its bytes', '\u0004'],
  ['of no bytes', '\u0001\u0000\u0003\u0008'],
  ['of fewer bytes than are worth one', '\u0002\u0008'],
] as const) {
  test(`a piece ${what} is refused`, t => {
    t.is(readBack({ text: Buffer.from(text), bytes: Buffer.alloc(8) }), undefined)
  })
}

test('a length is written in one byte or in two', t => {
  for (const length of [1, 127, 128, 300, 32_767]) {
    const json = JSON.stringify(Buffer.alloc(length + 20, 7).toString('hex'))
    t.is(readBack(denseText(json)), json)
  }
})
