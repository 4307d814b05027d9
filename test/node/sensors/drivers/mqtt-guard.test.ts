import test from 'ava'
import * as fc from 'fast-check'

import { PacketLengths } from '../../../../node/sensors/drivers/mqtt-guard.ts'

/** A packet of MQTT with `length` bytes behind its header. */
function packet(length: number): Buffer {
  const digits: number[] = []
  for (let left = length; ; left = Math.floor(left / 128)) {
    digits.push((left % 128) | (left >= 128 ? 0x80 : 0))
    if (left < 128) break
  }
  return Buffer.from([0x30, ...digits, ...Buffer.alloc(length, 0xff)])
}

/** Hand in bytes, cut into pieces of the given sizes in turn. */
function take(bytes: Buffer, sizes: readonly number[]): void {
  const lengths = new PacketLengths()
  for (let start = 0, turn = 0; start < bytes.length; turn += 1) {
    const end = start + (sizes[turn % sizes.length] ?? 1)
    lengths.take(bytes.subarray(start, end))
    start = end
  }
}

test('packets up to the limit pass, however the bytes are cut', t => {
  const sizes = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1 })
  const length = fc.oneof(fc.constantFrom(0, 1, 127, 128, 16_383, 16_384, 131_072), fc.nat(2_000))
  fc.assert(
    fc.property(fc.array(length, { maxLength: 5 }), sizes, (packets, sizes) => {
      take(Buffer.concat(packets.map(packet)), sizes)
    }),
    { numRuns: 50 },
  )
  take(Buffer.concat([packet(0), packet(131_072), packet(3)]), [1])
  t.pass()
})

test('a packet beyond the limit is refused before it has come', t => {
  for (const header of [
    [0x30, 0x81, 0x80, 0x08],
    [0x30, 0xff, 0xff, 0xff, 0x7f],
  ]) {
    const bytes = Buffer.concat([packet(5), Buffer.from(header)])
    for (const sizes of [[1], [3], [100]]) {
      t.throws(() => take(bytes, sizes), { code: 'ERR_LIMIT' })
    }
  }
})

test('a length of more than four bytes is no packet', t => {
  const bytes = Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01])
  t.throws(() => take(bytes, [2]), { code: 'ERR_PROTOCOL' })
})
