/** How what pages are sent looks on the wire: Socket.IO 5 over Engine.IO 4 over WebSocket. */

/** The first byte of a text frame that is not split and that a server sends (RFC 6455, 5.2). */
const FINAL_TEXT = 0x81

/** Lengths up to this stand in the second byte; then two or eight bytes follow that hold them. */
const MAX_SHORT = 125
const TWO_BYTES = 126
const MAX_TWO_BYTES = 0xffff
const EIGHT_BYTES = 127

/** An Engine.IO message with a Socket.IO event, and one with an answer. */
const EVENT = '42'
const ANSWER = '43'

/** A text as one WebSocket frame of a server: unmasked, so that all pages can be sent the same bytes. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const head = length <= MAX_SHORT ? 2 : length <= MAX_TWO_BYTES ? 4 : 10
  const frame = Buffer.allocUnsafe(head + length)
  frame[0] = FINAL_TEXT
  if (head === 2) frame[1] = length
  else if (head === 4) {
    frame[1] = TWO_BYTES
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = EIGHT_BYTES
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, head)
  return frame
}

/** The texts of whole frames as `textFrame` makes them; others are passed over. */
export function readTextFrames(frames: Buffer): string[] {
  const texts: string[] = []
  for (let at = 0; at < frames.length;) {
    const short = frames.readUInt8(at + 1)
    const head = short === TWO_BYTES ? 4 : short === EIGHT_BYTES ? 10 : 2
    const length =
      head === 2
        ? short
        : head === 4
          ? frames.readUInt16BE(at + 2)
          : Number(frames.readBigUInt64BE(at + 2))
    const begin = at + head
    if (frames[at] === FINAL_TEXT) texts.push(frames.toString('utf8', begin, begin + length))
    at = begin + length
  }
  return texts
}

/**
 * An event of a sensor.
 * @param json the values of its dialect, a JSON array; for an old page perhaps one text, which it hears
 *   by the name of the sensor
 */
export function sensorFrame(sensor: string, json: string): Buffer {
  if (!json.startsWith('[')) return textFrame(`${EVENT}[${JSON.stringify(sensor)},${json}]`)
  return textFrame(`${EVENT}["event",${JSON.stringify(sensor)},${json.slice(1)}`)
}

/** An event of a sensor of another node. @param json the values of its dialect, a JSON array */
export function relayedFrame(node: string, sensor: string, json: string): Buffer {
  const place = `${JSON.stringify(node)},${JSON.stringify(sensor)}`
  return textFrame(`${EVENT}["relayed",${place},${json.slice(1)}`)
}

/** Any other event. */
export function eventFrame(event: string, ...values: unknown[]): Buffer {
  return textFrame(`${EVENT}${JSON.stringify([event, ...values])}`)
}

/** What a call of the page is answered. @param id how the page numbered its call */
export function answerFrame(id: number, value: unknown): Buffer {
  return textFrame(`${ANSWER}${id}${JSON.stringify([value])}`)
}
