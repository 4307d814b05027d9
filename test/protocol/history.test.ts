import test from 'ava'
import { bucketIn, commandIn, eventIn } from '../../node/history/page.ts'
import {
  digestOf,
  LinesHash,
  NumbersHash,
  textOf,
  type Hour,
  type SensorHour,
} from '../../node/history/seal.ts'
import { readProtocol, untriedOf } from '../vectors/parts.ts'

/** PROTOCOL.md against the code, on the history: whoever changes one of the two learns of the other. */

const vectors = readProtocol()

test('the hours of a history are hashed as the page says', t => {
  const page = vectors.json('hours') as {
    readonly readings: [number, number, number][]
    readonly minutes: (number | null)[][]
    readonly events: (string | number | null)[][]
    readonly commands: (string | number)[][]
    readonly hour: Omit<Hour, 'sensors'> & { sensors: (SensorHour & SensorHour['bucket'])[] }
    readonly digest: string
    readonly digestBehind: Record<string, string>
  }
  const [readings, minutes] = [new NumbersHash(), new NumbersHash()]
  for (const reading of page.readings) readings.addReading(...reading)
  for (const minute of page.minutes) minutes.addMinute(bucketIn(minute))
  const [events, commands] = [new LinesHash(), new LinesHash()]
  for (const event of page.events) events.addEvent(eventIn(event))
  for (const command of page.commands) commands.addCommand(commandIn(command))
  const { sensors, ...frame } = page.hour
  const hour: Hour = {
    ...frame,
    events: events.digest(),
    commands: commands.digest(),
    sensors: sensors.map(({ name, kind, ...bucket }) => ({
      name,
      kind,
      bucket,
      readings: readings.digest(),
      minutes: minutes.digest(),
    })),
  }
  t.is(textOf(hour), JSON.stringify(page.hour))
  t.is(digestOf('', hour), page.digest)
  for (const [previous, digest] of Object.entries(page.digestBehind)) {
    t.is(digestOf(previous, hour), digest)
  }
})

test('every vector of this part is tried', t => {
  t.deepEqual(untriedOf('history', vectors), [])
})
