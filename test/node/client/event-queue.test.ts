import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { array, assert, asyncProperty, constantFrom, integer } from 'fast-check'
import { EventQueue } from '../../../node/client/event-queue.ts'
import type { FridgeEvent } from '../../../node/client/events.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { parseName } from '../../../node/identity/names.ts'

const node = parseName('node-1')

const reading = (sequence: number, sensor = 'air'): FridgeEvent => ({
  type: 'reading',
  value: sequence,
  unit: 'C',
  at: sequence,
  node,
  sensor,
  kind: 'temperature',
  sequence,
})
const move = (sequence: number, sensor = 'door'): FridgeEvent => ({
  type: 'open',
  at: sequence,
  node,
  sensor,
  kind: 'door',
  sequence,
})
const missed = (sensor: string, count: number): FridgeEvent => ({
  type: 'missed',
  node,
  sensor,
  count,
})

/** An event in short: `air 3`, `air +2` for two missed. */
function short(event: FridgeEvent): string {
  if (event.type === 'missed') return `${event.sensor} +${event.count}`
  return 'sequence' in event ? `${event.sensor} ${event.sequence}` : event.type
}

/** Everything that waits, to the end. */
async function drain(queue: EventQueue): Promise<string[]> {
  queue.finish()
  const events: string[] = []
  for (let event; (event = await queue.take()) !== undefined;) events.push(short(event))
  return events
}

test('events come in the order in which they were put in, also to one who waits', async t => {
  const queue = new EventQueue(10)
  const first = queue.take()
  await nextTurn()
  queue.push(reading(1))
  queue.push(move(1))
  t.is((await first)?.type, 'reading')
  t.deepEqual(await drain(queue), ['door 1'])
})

test('while there is room every reading is kept', async t => {
  const queue = new EventQueue(3)
  for (const sequence of [1, 2, 3]) queue.push(reading(sequence))
  t.deepEqual(await drain(queue), ['air 1', 'air 2', 'air 3'])
})

test('without room the oldest overtaken reading gives way, and it is told where it is missing', async t => {
  const queue = new EventQueue(4)
  queue.push(reading(1, 'room'))
  queue.push(move(1))
  for (const sequence of [1, 2, 3, 4]) queue.push(reading(sequence))
  t.deepEqual(await drain(queue), ['room 1', 'door 1', 'air +2', 'air 3', 'air 4'])
})

test('where there is no such reading the oldest event gives way', async t => {
  const queue = new EventQueue(3)
  queue.push(reading(1))
  for (const sequence of [1, 2, 3, 4]) queue.push(move(sequence))
  t.deepEqual(await drain(queue), ['door +1', 'door 2', 'door 3', 'door 4', 'air +1'])
  const other = new EventQueue(1)
  other.push(move(1))
  other.push(reading(1))
  other.push(move(2))
  t.deepEqual(await drain(other), ['door +1', 'door 2', 'air +1'])
})

test('what was missed before it came here is told at its place, and added up', async t => {
  const queue = new EventQueue(2)
  queue.push(move(1))
  queue.push(missed('door', 3))
  queue.push(move(5))
  queue.push(move(6))
  t.deepEqual(await drain(queue), ['door +4', 'door 5', 'door 6'])
})

test('what becomes of the connection gives way last', async t => {
  const lost: FridgeEvent = { type: 'lost', node, reason: new FridgeError('ERR_CLOSED', 'cut') }
  const queue = new EventQueue(2)
  queue.push(lost)
  for (const sequence of [1, 2, 3]) queue.push(move(sequence))
  for (let time = 0; time < 5; time += 1) queue.push(lost)
  t.deepEqual(await drain(queue), ['lost', 'lost', 'door +3'])
})

test('an error comes behind what waits, an abort before it', async t => {
  const error = new FridgeError('ERR_REVOKED', 'out')
  const queue = new EventQueue(2)
  queue.push(move(1))
  queue.finish({ error })
  queue.push(move(2))
  t.is((await queue.take())?.type, 'open')
  t.is(await t.throwsAsync(queue.take()), error)
  const aborted = new EventQueue(2)
  aborted.push(move(1))
  aborted.abort({ error })
  t.is(await t.throwsAsync(aborted.take()), error)
  const closed = new EventQueue(2)
  const waiting = closed.take()
  closed.abort()
  t.is(await waiting, undefined)
})

test('whatever comes and is taken: in order, no more than fits, and every number is told or counted', async t => {
  const step = constantFrom('air', 'room', 'door', 'hatch', 'take')
  await assert(
    asyncProperty(
      integer({ min: 1, max: 5 }),
      array(step, { maxLength: 80 }),
      async (max, steps) => {
        const queue = new EventQueue(max)
        const sent = new Map<string, number>()
        const accounted = new Map<string, number>()
        let waiting = 0
        const hear = (text: string): void => {
          const [sensor = '', number = ''] = text.split(' ')
          const before = accounted.get(sensor) ?? 0
          const after = number.startsWith('+') ? before + Number(number.slice(1)) : Number(number)
          if (!number.startsWith('+') && after !== before + 1)
            throw new Error(`${text} after ${before}`)
          accounted.set(sensor, after)
        }
        for (const what of steps) {
          if (what === 'take') {
            if (waiting === 0) continue
            const event = await queue.take()
            if (event === undefined) continue
            if (event.type !== 'missed') waiting -= 1
            hear(short(event))
          } else {
            const sequence = (sent.get(what) ?? 0) + 1
            sent.set(what, sequence)
            const isReading = what === 'air' || what === 'room'
            queue.push(isReading ? reading(sequence, what) : move(sequence, what))
            waiting = Math.min(waiting + 1, max)
          }
        }
        const rest = await drain(queue)
        for (const text of rest) hear(text)
        t.deepEqual(Object.fromEntries(accounted), Object.fromEntries(sent))
        return rest.filter(text => !text.includes('+')).length === waiting
      },
    ),
  )
})
