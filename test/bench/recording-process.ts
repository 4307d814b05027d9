import { makePeople } from '../support/replica-people.ts'
import { memoryOf } from './process-memory.ts'

/** What recording adds to a process, of memory that is its own, bytes. */
export interface RecordingCost {
  /** For the code, and for a history of that size which is open to be written and read. */
  readonly openBytes: number
  /** After an hour more, a reading every 5 s. */
  readonly recordedBytes: number
}

const READING_MS = 5_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Record an hour more into the history that is named, from its end on. */
async function record(file: string, end: number): Promise<RecordingCost> {
  // What weighs is loaded when it is weighed: the code of a history costs something as well.
  const people = await makePeople({ nodes: ['node-1'], now: end - DAY_MS })
  const before = await ownBytes()
  const { openHistoryDatabase, openHistoryForReading } =
    await import('../../node/history/database.ts')
  const { HistoryReader } = await import('../../node/history/reader.ts')
  const { HistoryStore } = await import('../../node/history/store.ts')
  const { HistoryWriter } = await import('../../node/history/writer.ts')
  using store = new HistoryStore(openHistoryDatabase(file))
  const writer = new HistoryWriter({
    store,
    node: 'node-1',
    sensors: [{ name: 'temperature', kind: 'temperature' }],
    retention: { readingsMs: 7 * DAY_MS, minutesMs: 400 * DAY_MS, hoursMs: 3_650 * DAY_MS },
    signing: () => people.node('node-1'),
    now: end,
    why: 'a bench',
  })
  using _reader = new HistoryReader(openHistoryForReading(file))
  const openBytes = (await ownBytes()) - before
  for (let moment = end; moment <= end + HOUR_MS; moment += READING_MS) {
    const value = 4 + (moment % 7_000) / 7_000
    writer.tell('temperature', { type: 'reading', value, unit: 'C', at: moment }, moment)
    writer.flush()
  }
  return { openBytes, recordedBytes: (await ownBytes()) - before }
}

async function ownBytes(): Promise<number> {
  globalThis.gc?.()
  return (await memoryOf(process.pid)).anonymous
}

const [file = '', end = ''] = process.argv.slice(2)
process.send?.(await record(file, Number(end)))
process.disconnect()
