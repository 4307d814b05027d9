import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { openHistoryDatabase, openHistoryForReading } from '../../node/history/database.ts'
import { HistoryReader } from '../../node/history/reader.ts'
import { HistoryStore } from '../../node/history/store.ts'
import { verifyHistory, type HistoryVerification } from '../../node/history/verify.ts'
import { HistoryWriter, type HistoryWriterOptions } from '../../node/history/writer.ts'
import type { SensorEvent } from '../../node/sensors/kinds.ts'
import { makeTestFolder } from './certs.ts'
import { makePeople, type People } from './replica-people.ts'

export const DAY_MS = 86_400_000
export const HOUR_MS = 3_600_000

/** When the histories of tests begin. */
export const BEGIN = Date.UTC(2026, 0, 1)

export const SENSORS = [
  { name: 'door', kind: 'door' },
  { name: 'temperature', kind: 'temperature' },
] as const

/** As the configuration has it where nothing is said. */
export const RETENTION = {
  readingsMs: 7 * DAY_MS,
  minutesMs: 400 * DAY_MS,
  hoursMs: 3_650 * DAY_MS,
}

/** A history in a folder of the test's own, written without a clock. */
export interface TestHistory {
  readonly file: string
  readonly people: People
  /** The writer of this run, and the one of the run after `restart`. */
  writer(): HistoryWriter
  reading(value: number, moment: number): void
  move(type: 'open' | 'close', moment: number): void
  unavailable(sensor: string, moment: number, reason?: string): void
  /**
   * Go on from what was written, as after a kill; what was not flushed is lost.
   * @param sensors that the configuration names from now on (default those of before)
   */
  restart(now: number, sensors?: HistoryWriterOptions['sensors']): void
  read<T>(work: (reader: HistoryReader) => T): T
  verify(digest?: string): Promise<HistoryVerification>
  /** Change the file behind the back of the node, which does not run. */
  tamper(sql: string): void
}

export function celsius(value: number, at: number): SensorEvent {
  return { type: 'reading', value, unit: 'C', at }
}

/** The node whose history it is, issued a day before that begins. */
export async function makeHistoryPeople(): Promise<People> {
  return makePeople({ nodes: ['node-1'], now: BEGIN - DAY_MS })
}

/** Record in a store from a moment on. */
export function openWriter(
  store: HistoryStore,
  people: People,
  now: number,
  over: Partial<HistoryWriterOptions> = {},
): HistoryWriter {
  return new HistoryWriter({
    store,
    node: 'node-1',
    sensors: SENSORS,
    retention: RETENTION,
    signing: () => people.node('node-1'),
    now,
    why: 'a test',
    ...over,
  })
}

export async function makeHistory(
  t: Pick<ExecutionContext, 'teardown'>,
  over: Partial<HistoryWriterOptions> = {},
): Promise<TestHistory> {
  const file = join(await makeTestFolder(t), 'history.db')
  const people = await makeHistoryPeople()
  let store: HistoryStore | undefined
  const open = (
    now: number,
    why: string,
    sensors: HistoryWriterOptions['sensors'] = SENSORS,
  ): HistoryWriter => {
    store = new HistoryStore(openHistoryDatabase(file))
    return openWriter(store, people, now, { why, sensors, ...over })
  }
  let writer = open(BEGIN, 'a test')
  t.teardown(() => store?.[Symbol.dispose]())
  return {
    file,
    people,
    writer: () => writer,
    reading: (value, moment) => writer.tell('temperature', celsius(value, moment), moment),
    move: (type, moment) => writer.tell('door', { type, at: moment }, moment),
    unavailable: (sensor, moment, reason = 'no answer') =>
      writer.tell(sensor, { type: 'unavailable', reason, at: moment }, moment),
    restart: (now, sensors) => {
      store?.[Symbol.dispose]()
      writer = open(now, 'a restart', sensors)
    },
    read: work => {
      using reader = new HistoryReader(openHistoryForReading(file))
      return work(reader)
    },
    verify: async digest => {
      const database = openHistoryForReading(file)
      try {
        return await verifyHistory(database, { ...people.trust, digest })
      } finally {
        database.close()
      }
    },
    tamper: sql => {
      store?.[Symbol.dispose]()
      store = undefined
      const database = openHistoryDatabase(file)
      database.exec(sql)
      database.close()
    },
  }
}
