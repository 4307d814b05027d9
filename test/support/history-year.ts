import { openHistoryDatabase } from '../../node/history/database.ts'
import { HistoryStore } from '../../node/history/store.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import { celsius, DAY_MS, openWriter } from './history.ts'
import { makePeople } from './replica-people.ts'

/** A year of readings, a quarter of an hour apart, with a week in spring of which nothing is known. */
export async function recordYear(file: string): Promise<void> {
  const end = Date.now()
  const begin = end - 364 * DAY_MS
  const people = await makePeople({ nodes: ['node-1'], now: begin - DAY_MS })
  using store = new HistoryStore(openHistoryDatabase(file))
  const writer = openWriter(store, people, begin)
  const random = seededRandom(1)
  for (let at = begin; at < end; at += 900_000) {
    const day = (at - begin) / DAY_MS
    if (day > 100 && day < 107) continue
    const value = 4 + Math.sin(day / 20) + Math.sin(day * 6) / 2 + random() / 2
    writer.tell('temperature', celsius(value, at), at)
    if (random() < 0.2) writer.tell('door', { type: 'open', at: at + 1_000 }, at + 1_000)
    writer.tell('door', { type: 'close', at: at + 61_000 }, at + 61_000)
    if (random() < 0.01) writer.flush()
  }
  writer.end(end, 'the test')
}
