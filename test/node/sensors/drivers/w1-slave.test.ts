import test from 'ava'
import * as fc from 'fast-check'

import { parseW1Slave as parse } from '../../../../node/sensors/drivers/w1-slave.ts'

const parseW1Slave = (text: string, family = '28') => parse(text, family)

/** The text of the kernel for nine bytes. */
function slave(bytes: string, millidegrees: number | string, verdict = 'YES'): string {
  return `${bytes} : crc=${bytes.slice(-2)} ${verdict}\n${bytes} t=${millidegrees}\n`
}

/** The CRC-8 of the 1-wire bus, as a division of polynomials: its bits in the order of sending. */
function crc8(bytes: readonly number[]): number {
  const bits = bytes.flatMap(byte => Array.from({ length: 8 }, (_, bit) => (byte >> bit) & 1))
  bits.push(...Array<number>(8).fill(0))
  for (let place = 0; place < bits.length - 8; place += 1) {
    if (bits[place] !== 1) continue
    for (const power of [0, 3, 4, 8]) bits[place + power] = (bits[place + power] ?? 0) ^ 1
  }
  return bits.slice(-8).reduce((sum, bit, place) => sum | (bit << place), 0)
}

/** Nine bytes with their true CRC. */
function scratchpad(bytes: readonly number[]): string {
  return [...bytes, crc8(bytes)].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
}

const good = '72 01 4b 46 7f ff 0e 10 57'

test('the CRC is that of application note 27', t => {
  // Its worked example: family 02, serial number 00000001B81C, CRC A2.
  t.is(crc8([0x02, 0x1c, 0xb8, 0x01, 0x00, 0x00, 0x00]), 0xa2)
  fc.assert(
    fc.property(fc.array(fc.nat(255), { minLength: 8, maxLength: 8 }), bytes => {
      // All ones are a thermometer that is not connected; all zeros have a good CRC.
      fc.pre(new Set(bytes).size > 1)
      t.deepEqual(parseW1Slave(slave(scratchpad(bytes), 23125)), { celsius: 23.125 })
    }),
  )
})

test('the text of real thermometers is read', t => {
  t.deepEqual(parseW1Slave(slave(good, 23125)), { celsius: 23.125 })
  t.deepEqual(parseW1Slave(slave('2d 00 4b 46 ff ff 02 10 19', 22687)), { celsius: 22.687 })
  t.deepEqual(
    parseW1Slave(slave(scratchpad([0x5e, 0xff, 0x4b, 0x46, 0x7f, 0xff, 2, 16]), -10125)),
    {
      celsius: -10.125,
    },
  )
})

test("the kernel's NO is believed, whatever the bytes say", t => {
  t.like(parseW1Slave(slave(good, 23125, 'NO')), {
    reason: 'the reading was damaged on the bus (CRC)',
  })
})

test("the kernel's YES is not: any changed bit is found", t => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 71 }), bit => {
      const bytes = good.split(' ').map(byte => Number.parseInt(byte, 16))
      const index = bit >> 3
      bytes[index] = (bytes[index] ?? 0) ^ (1 << (bit & 7))
      const text = bytes.map(byte => byte.toString(16).padStart(2, '0')).join(' ')
      return 'reason' in parseW1Slave(slave(text, 23125))
    }),
  )
  t.pass()
})

test('a CRC on the first line that is not the ninth byte is refused', t => {
  t.like(parseW1Slave(slave(good, 23125).replace('crc=57', 'crc=58')), {
    reason: 'the reading was damaged on the bus (CRC)',
  })
})

test('a second line with the bytes of an earlier reading is refused', t => {
  const stale = slave(good, 23125).replace(`${good} t=`, '50 05 4b 46 7f ff 0c 10 1c t=')
  t.like(parseW1Slave(stale), { reason: 'the reading was damaged on the bus (CRC)' })
})

test('85 °C exactly is the power-on value and no reading; its neighbours are readings', t => {
  const reason = 'the thermometer has not measured yet (85 °C, its power-on value)'
  t.deepEqual(parseW1Slave(slave('50 05 4b 46 7f ff 0c 10 1c', 85000)), { reason })
  t.deepEqual(parseW1Slave(slave(good, 84937)), { celsius: 84.937 })
  t.deepEqual(parseW1Slave(slave(good, 85062)), { celsius: 85.062 })
})

test('a sensor that is not connected is no reading, though all zeros have a good CRC', t => {
  const reason = 'the thermometer is not connected'
  t.is(crc8(Array<number>(8).fill(0)), 0)
  t.deepEqual(parseW1Slave(slave('00 00 00 00 00 00 00 00 00', 0)), { reason })
  t.deepEqual(parseW1Slave(slave('ff ff ff ff ff ff ff ff ff', -62, 'NO')), { reason })
  t.deepEqual(parseW1Slave(slave(good, -127000)), { reason })
})

test('what no such thermometer can measure is no reading', t => {
  t.deepEqual(parseW1Slave(slave(good, 125001)), {
    reason: '125.001 °C is beyond what the thermometer can measure',
  })
  t.true('reason' in parseW1Slave(slave(good, -55001)))
  t.deepEqual(parseW1Slave(slave(good, 125000)), { celsius: 125 })
  t.deepEqual(parseW1Slave(slave(good, -55000)), { celsius: -55 })
})

test('a thermocouple (MAX31850) whose fault bit is set is no reading, and says why', t => {
  const faulty = (status: number) =>
    slave(scratchpad([0x45, 0, status, 0x15, 0xf0, 0xff, 0xff, 0xff]), 4_250)
  const told = slave('45 00 01 15 f0 ff ff ff 91', 4_250)
  t.deepEqual(parseW1Slave(told, '3b'), { reason: 'the thermocouple is not connected' })
  t.deepEqual(parseW1Slave(faulty(0x02), '3b'), { reason: 'the thermocouple touches ground' })
  t.deepEqual(parseW1Slave(faulty(0x04), '3b'), { reason: 'the thermocouple touches the supply' })
  t.deepEqual(parseW1Slave(faulty(0x50), '3b'), { reason: 'the thermocouple is faulty' })
})

test('a thermocouple measures from -270 to 1372 °C, whatever the kernel makes of it', t => {
  const measured = (celsius: number) => {
    const register = celsius * 16
    const low = register & 0xff
    const high = (register >> 8) & 0xff
    return slave(scratchpad([low, high, 0x50, 0x15, 0xf3, 0xff, 0xff, 0xff]), 1)
  }
  for (const celsius of [-270, -195.75, -127, -64.75, -0.25, 0, 4.25, 1_372]) {
    t.deepEqual(parseW1Slave(measured(celsius), '3b'), { celsius })
  }
  for (const celsius of [-270.25, 1_372.25]) {
    t.like(parseW1Slave(measured(celsius), '3b'), {
      reason: `${celsius} °C is beyond what the thermometer can measure`,
    })
  }
  t.like(parseW1Slave(measured(85), '3b'), {
    reason: 'the thermometer has not measured yet (85 °C, its power-on value)',
  })
})

test('a DS1825, of the same family, is read as a DS18B20', t => {
  const bytes = scratchpad([0x45, 0, 1, 0x15, 0x7f, 0xff, 0xff, 0xff])
  t.deepEqual(parseW1Slave(slave(bytes, 4_312), '3b'), { celsius: 4.312 })
  t.like(parseW1Slave(slave(bytes, -64_750), '3b'), {
    reason: '-64.75 °C is beyond what the thermometer can measure',
  })
  // What looks like one in another family has no fault bit.
  const other = scratchpad([0x45, 0, 1, 0x15, 0xf0, 0xff, 0xff, 0xff])
  t.deepEqual(parseW1Slave(slave(other, 4_312), '28'), { celsius: 4.312 })
})

test('anything else is no reading', t => {
  const whole = slave(good, 23125)
  for (let length = 0; length < whole.length - 6; length++) {
    t.true('reason' in parseW1Slave(whole.slice(0, length)), `the first ${length} characters`)
  }
  for (const text of [
    slave(good, 'abc'),
    slave(good, '12.5'),
    slave(good, ''),
    slave(good, '1e3'),
    slave(good, '99999999'),
    whole + whole,
    whole.toUpperCase(),
    whole.replaceAll('\n', '\r\n'),
    `\n${whole}`,
    '{"temperature":4}',
  ]) {
    t.true('reason' in parseW1Slave(text), text)
  }
  t.deepEqual(parseW1Slave(' \n'), { reason: 'the thermometer gave no data' })
})

test('no text makes it throw', t => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 200 }),
      text => 'reason' in parseW1Slave(text),
    ),
  )
  t.pass()
})
