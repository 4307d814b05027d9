import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { damageOf } from './integrity.ts'
import { BUSY_TIMEOUT_MS } from './sqlite-database.ts'

/** What the thread of an `IntegrityCheck` says at its end: what is wrong, or nothing. */
export type IntegrityAnswer = string | undefined

// What that thread runs: it is handed the name of a file.
using database = new DatabaseSync(String(workerData), { readOnly: true, timeout: BUSY_TIMEOUT_MS })
const answer: IntegrityAnswer = damageOf(database)
parentPort?.postMessage(answer)
