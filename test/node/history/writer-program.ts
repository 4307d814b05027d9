import { openHistoryDatabase } from '../../../node/history/database.ts'
import { HistoryStore } from '../../../node/history/store.ts'
import { BEGIN, celsius, makeHistoryPeople, openWriter } from '../../support/history.ts'

/** A program that writes a history as fast as it can until it is killed, and says how far it has come. */
const [file = '', before = '0'] = process.argv.slice(2)
const people = await makeHistoryPeople()
const store = new HistoryStore(openHistoryDatabase(file))
let written = Number(before)
let moment = BEGIN + (written + 1) * 60_000
const writer = openWriter(store, people, moment)
for (;;) {
  for (let count = 0; count < 20; count += 1) {
    moment += 30_000
    writer.tell('temperature', celsius(count, moment), moment)
  }
  writer.flush()
  written += 20
  process.stdout.write(`${written}\n`)
  if (written % 1_000 === 0) store.checkpoint()
  // The pipe takes no more than somebody reads.
  if (process.stdout.writableNeedDrain)
    await new Promise(resolve => process.stdout.once('drain', resolve))
}
