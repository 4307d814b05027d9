import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openHistoryDatabase, openHistoryForReading } from '../../../node/history/database.ts'
import { HistoryReader } from '../../../node/history/reader.ts'
import { HistoryStore } from '../../../node/history/store.ts'
import { verifyHistory } from '../../../node/history/verify.ts'
import { seededRandom } from '../../../node/sensors/drivers/seeded-random.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { BEGIN, DAY_MS, makeHistoryPeople, openWriter } from '../../support/history.ts'

const PROGRAM = fileURLToPath(new URL('writer-program.ts', import.meta.url))

/** `KILLS=100` kills more often, `SEED=n` at other moments. */
const KILLS = Number(process.env['KILLS'] ?? 4)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

test('a writer that is killed at any moment loses nothing that it had written, and the file is sound', async t => {
  t.timeout(60_000 + KILLS * 5_000)
  t.log(`SEED=${SEED}`)
  const random = seededRandom(SEED)
  const file = join(await makeTestFolder(t), 'history.db')
  let written = 0
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(process.execPath, ['--no-warnings', PROGRAM, file, String(written)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    // It prints how many readings are written, after each flush.
    for (let left = 1 + Math.floor(random() * 60); left > 0; left -= 1) {
      const { value } = await lines.next()
      written = Number(value)
    }
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    for (;;) {
      const { value, done } = await lines.next()
      if (done === true) break
      written = Number(value)
    }
    await closed
    const database = openHistoryForReading(file)
    const span = { from: 0, to: BEGIN * 2 }
    const reader = new HistoryReader(database)
    const found = [...reader.readings('temperature', span)].length
    t.true(found >= written, `${found} readings of ${written}`)
    reader[Symbol.dispose]()
    written = found
  }
  // The next run signs what the last one left.
  const people = await makeHistoryPeople()
  using store = new HistoryStore(openHistoryDatabase(file))
  const later = BEGIN + 3_650 * DAY_MS
  openWriter(store, people, later).end(later, 'the end')
  const database = openHistoryForReading(file)
  const { findings } = await verifyHistory(database, people.trust)
  database.close()
  // The killed runs had authorities of their own, so that only this is found of their hours.
  t.deepEqual(
    findings.filter(({ problem }) => !problem.includes('trusted')),
    [],
  )
})
