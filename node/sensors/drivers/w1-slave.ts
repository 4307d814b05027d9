/** What the kernel's text says: a temperature (°C), or why there is none. */
export type W1Reading = { celsius: number } | { reason: string }

/**
 * The power-on content of the temperature register (DS18B20 data sheet, "Temperature register"). A
 * conversion that never took place, for want of power, reads as this, with a good CRC.
 */
const POWER_ON_CELSIUS = 85

/** What a DS18B20 can measure, °C; its relatives measure no more. */
const RANGE = { min: -55, max: 125 }

/** What a thermocouple of type K can measure, °C: the widest that a MAX31850 is made for. */
const THERMOCOUPLE_RANGE = { min: -270, max: 1_372 }

/** The family that the DS1825 and the MAX31850 share. */
const SHARED_FAMILY = '3b'

const LINE_1 = /^((?:[0-9a-f]{2} ){9}): crc=([0-9a-f]{2}) (YES|NO)$/
const LINE_2 = /^((?:[0-9a-f]{2} ){9})t=(-?\d{1,7})$/

/**
 * Read the text of `w1_slave` (Linux, Documentation/w1/slaves/w1_therm.rst):
 *
 *     72 01 4b 46 7f ff 0e 10 57 : crc=57 YES
 *     72 01 4b 46 7f ff 0e 10 57 t=23125
 *
 * Nine scratchpad bytes, the last their CRC; then thousandths of a degree. Anything doubtful has a
 * reason instead of a temperature: a wrong CRC by the kernel's word or by our own sum, a sensor that
 * is not connected, and 85 °C exactly, which is what a DS18B20 holds before its first conversion. A
 * true 85.000 °C is lost by that; its neighbours, 84.9375 and 85.0625, are not.
 * @param family the code before the hyphen in the name of the device
 */
export function parseW1Slave(text: string, family: string): W1Reading {
  if (text.trim() === '') return { reason: 'the thermometer gave no data' }
  const [line1 = '', line2 = '', ...rest] = text.split('\n')
  const head = LINE_1.exec(line1)
  const tail = LINE_2.exec(line2)
  if (head === null || tail === null || rest.join('') !== '') {
    return { reason: 'the thermometer gave something that is not a reading' }
  }
  const bytes = Uint8Array.from((head[1] ?? '').trim().split(' '), byte =>
    Number.parseInt(byte, 16),
  )
  const first = bytes[0]
  // No answer leaves the bus high, a short circuit low. All zeros even have a good CRC.
  if ((first === 0x00 || first === 0xff) && bytes.every(byte => byte === first)) {
    return { reason: 'the thermometer is not connected' }
  }
  const sum = bytes[8]
  const isIntact =
    head[3] === 'YES' &&
    Number.parseInt(head[2] ?? '', 16) === sum &&
    crc8(bytes.subarray(0, 8)) === sum &&
    // On a good CRC the kernel prints the same bytes twice; older bytes are a stale reading.
    tail[1] === head[1]
  if (!isIntact) return { reason: 'the reading was damaged on the bus (CRC)' }

  // Bit 7 of the configuration is 0 in a DS1825.
  const isThermocouple = family === SHARED_FAMILY && ((bytes[4] ?? 0) & 0x80) !== 0
  if (isThermocouple) return thermocoupleReading(bytes)
  const celsius = Number(tail[2]) / 1_000
  if (celsius === -127) return { reason: 'the thermometer is not connected' }
  return readingWithin(RANGE, celsius)
}

/**
 * The reading of a MAX31850 (its data sheet, "Memory"), which has the same family as a DS1825. The
 * kernel drops its fault bit, and older ones take the bits beside it for a part of the temperature, so
 * it is read from the bytes: 14 bits of quarters of a degree, and bit 0 that says that they mean
 * nothing; byte 2 says why.
 */
function thermocoupleReading(bytes: Uint8Array): W1Reading {
  const view = new DataView(bytes.buffer)
  const register = view.getInt16(0, true)
  if ((register & 0x01) !== 0) {
    const status = view.getUint8(2)
    const faults = ['is not connected', 'touches ground', 'touches the supply']
    const fault = faults.find((_, bit) => (status & (1 << bit)) !== 0) ?? 'is faulty'
    return { reason: `the thermocouple ${fault}` }
  }
  return readingWithin(THERMOCOUPLE_RANGE, (register >> 2) / 4)
}

function readingWithin({ min, max }: { min: number; max: number }, celsius: number): W1Reading {
  if (celsius === POWER_ON_CELSIUS) {
    return { reason: 'the thermometer has not measured yet (85 °C, its power-on value)' }
  }
  if (celsius < min || celsius > max) {
    return { reason: `${celsius} °C is beyond what the thermometer can measure` }
  }
  return { celsius }
}

/** The CRC-8 of the 1-wire bus: x^8 + x^5 + x^4 + 1, least bit first (Maxim application note 27). */
function crc8(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x8c : crc >>> 1
  }
  return crc
}
