import { createHash } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../node/lib/clock.ts'
import type { Source } from '../../../node/identity/names.ts'
import { readEntryOf } from '../../../node/storage/change-row.ts'
import { strayPlace, type Entry } from '../../../node/whitelist/entry.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import type { Verification } from '../../../node/storage/verification.ts'
import { verifyDatabase } from '../../../node/storage/verify.ts'
import { makeTestCerts, makeTestFolder } from '../../support/certs.ts'
import { makeSharedCerts } from '../../support/cluster.ts'
import { rowAt, tamper, writeSealed, type Row } from './database-row.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { trustOf, writeLog } from '../../support/signed-log.ts'

const PEOPLE = { nodes: ['node-1'], operators: ['admin'] }
const shared = await makeSharedCerts(PEOPLE)
const { certs } = shared

interface Log {
  readonly file: string
  /** The sources of two runs: positions 1 to 4, and 5 to 7. */
  readonly first: string
  readonly second: string
}

// One log for all tests, each of which works on a copy.
const original = await makeSharedLog()
test.after.always(() => shared.remove())

async function makeSharedLog(): Promise<Log> {
  const file = join(certs.dir, 'whitelist.db')
  const first = await writeLog(file, certs, ['+c1', '+c2', '-c1', '+c3'])
  const second = await writeLog(file, certs, ['-c2', '+c1', '-operator/berta'])
  return { file, first: first.source, second: second.source }
}

async function makeLog(t: ExecutionContext): Promise<Log> {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  copyFileSync(original.file, file)
  return { ...original, file }
}

async function verify(file: string): Promise<Verification> {
  return verifyDatabase(file, trustOf(certs))
}

/** Each finding in one line. */
async function findingsIn(file: string): Promise<string[]> {
  const { findings } = await verify(file)
  return findings.map(({ place, problem }) => `${place}: ${problem}`)
}

function flip(text: string, at: number): string {
  const other = text[at] === 'A' ? 'B' : 'A'
  return text.slice(0, at) + other + text.slice(at + 1)
}

/** What lies in the folder of a file, byte for byte. */
function folderText(file: string): string {
  const folder = dirname(file)
  return readdirSync(folder)
    .filter(name => !name.includes('.lock'))
    .map(name => `${name} ${sha256(readFileSync(join(folder, name)))}`)
    .join('\n')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

test('a database that nobody touched is sound, and what it holds is counted', async t => {
  const { file } = await makeLog(t)
  t.deepEqual(await verify(file), {
    changes: 7,
    sources: 2,
    signers: 2,
    admitted: 2,
    checkpoints: 0,
    untrue: 0,
    findings: [],
  })
})

test('checking changes nothing in the folder', async t => {
  const { file } = await makeLog(t)
  const before = folderText(file)
  await verify(file)
  t.is(folderText(file), before)
})

test('what a killed node left in its write-ahead log is checked as well, and stays there', async t => {
  const { file } = await makeLog(t)
  const killed = join(await makeTestFolder(t), 'whitelist.db')
  {
    using writer = new DatabaseSync(file)
    writer.exec('PRAGMA wal_autocheckpoint = 0')
    writer.prepare('UPDATE changes SET text = ? WHERE position = 2').run('{}')
    for (const ending of ['', '-wal']) {
      writeFileSync(`${killed}${ending}`, readFileSync(`${file}${ending}`))
    }
  }
  const before = [readFileSync(killed), readFileSync(`${killed}-wal`)].map(sha256)
  t.regex((await findingsIn(killed)).join('\n'), /^position 2, .*text was altered/m)
  t.deepEqual([readFileSync(killed), readFileSync(`${killed}-wal`)].map(sha256), before)
})

test('a flipped letter in a text is found and named', async t => {
  const { file, first } = await makeLog(t)
  const { text } = rowAt(file, 2)
  tamper(file, 'UPDATE changes SET text = ? WHERE position = 2', text.replace('c2', 'c4'))
  t.deepEqual(await findingsIn(file), [
    `position 2, change 2 of ${first}: its text was altered, or which certificates it names: it has another hash`,
  ])
})

test('a flipped letter in either signature is found and named', async t => {
  for (const column of ['operatorSignature', 'nodeSignature'] as const) {
    const { file, first } = await makeLog(t)
    const row = rowAt(file, 3)
    tamper(file, `UPDATE changes SET ${column} = ? WHERE position = 3`, flip(row[column], 20))
    t.deepEqual(await findingsIn(file), [
      `position 3, change 3 of ${first}: its signatures were altered: the seal of the row is broken`,
    ])
  }
})

test('who seals a row again after altering it is found by the signatures', async t => {
  const { file, second } = await makeLog(t)
  const row = rowAt(file, 6)
  writeSealed(file, { ...row, text: row.text.replace('client/c1', 'client/c9') })
  t.deepEqual(await findingsIn(file), [
    `position 6, change 2 of ${second}: the change ${rowAt(file, 3).id}, which it has seen, is missing`,
    `position 7, change 3 of ${second}: it does not link to the change before it`,
    `position 6, change 2 of ${second}: change 2 of ${second} is not signed by its operator`,
  ])
  const { file: other, first } = await makeLog(t)
  const last = rowAt(other, 4)
  writeSealed(other, { ...last, nodeSignature: flip(last.nodeSignature, 20) })
  t.deepEqual(await findingsIn(other), [
    `position 4, change 4 of ${first}: change 4 of ${first} is not signed by its node`,
  ])
})

test('two changes that were swapped are found, at their places and in their order', async t => {
  const { file, first } = await makeLog(t)
  const [second, third] = [rowAt(file, 2), rowAt(file, 3)]
  tamper(file, 'DELETE FROM changes WHERE position IN (2, 3)')
  writeSealed(file, { ...third, position: 2 })
  writeSealed(file, { ...second, position: 3 })
  t.deepEqual(await findingsIn(file), [
    `position 2, change 3 of ${first}: change 2 is missing before it`,
    `position 3, change 2 of ${first}: it stands behind a later change of its source`,
    `position 4, change 4 of ${first}: change 3 is missing before it`,
  ])
  const { file: other } = await makeLog(t)
  const [a, b] = [rowAt(other, 2), rowAt(other, 3)]
  tamper(other, 'DELETE FROM changes WHERE position IN (2, 3)')
  writeSealed(other, { ...b, sequence: 2, position: 2 })
  writeSealed(other, { ...a, sequence: 3, position: 3 })
  t.regex(
    (await findingsIn(other)).join('\n'),
    /^position 2, change 2 .*: a change is not at the place that it names$/m,
  )
})

test('a change that was deleted in the middle is named as missing', async t => {
  const { file, first, second } = await makeLog(t)
  const { id } = rowAt(file, 2)
  tamper(file, 'DELETE FROM changes WHERE position = 2')
  t.deepEqual(await findingsIn(file), [
    `position 3, change 3 of ${first}: position 2 is missing before it`,
    `position 3, change 3 of ${first}: change 2 is missing before it`,
    `position 5, change 1 of ${second}: the change ${id}, which it has seen, is missing`,
  ])
})

test('a change that is missing is missed by what has seen it', async t => {
  const { file, second } = await makeLog(t)
  const removal = rowAt(file, 3).id
  tamper(file, 'DELETE FROM changes WHERE position = 4')
  t.deepEqual(await findingsIn(file), [
    `position 5, change 1 of ${second}: position 4 is missing before it`,
  ])
  tamper(file, 'DELETE FROM changes WHERE position = 3')
  t.true(
    (await findingsIn(file)).includes(
      `position 6, change 2 of ${second}: the change ${removal}, which it has seen, is missing`,
    ),
  )
})

test('that the very last changes were cut off cannot be seen: an older copy looks the same', async t => {
  const { file } = await makeLog(t)
  tamper(file, 'DELETE FROM changes WHERE position >= 6')
  const { changes, findings } = await verify(file)
  t.deepEqual(findings, [])
  t.is(changes, 5)
})

test('a change that another authority vouches for is named with its certificate', async t => {
  const { file, second } = await makeLog(t)
  const foreign = await makeTestCerts(t, PEOPLE)
  const forged = join(foreign.dir, 'whitelist.db')
  const { source } = await writeLog(forged, foreign, ['+mallory'])
  using from = new DatabaseSync(forged, { readOnly: true })
  const certificates = from.prepare('SELECT fingerprint, chain, seal FROM certificates').all()
  for (const { fingerprint, chain, seal } of certificates) {
    tamper(
      file,
      'INSERT INTO certificates (fingerprint, chain, seal) VALUES (?, ?, ?)',
      String(fingerprint),
      String(chain),
      String(seal),
    )
  }
  const row = rowAt(forged, 1)
  writeSealed(file, { ...row, position: 8 })
  const { findings, admitted } = await verify(file)
  t.is(admitted, 2)
  const [certificate, other, entry, ...rest] = findings
  t.deepEqual(rest, [])
  for (const one of [certificate, other]) {
    t.regex(one?.place ?? '', /^certificate [0-9a-f]{64}$/)
    t.regex(one?.problem ?? '', /is not trusted: it was signed by another authority/)
    t.regex(one?.fix ?? '', /add that to ca\/certificate\.pem/)
  }
  t.is(entry?.place, `position 8, change 1 of ${source}`)
  t.is(
    entry?.problem,
    `the certificate of its operator, ${row.operatorCertificate}, is missing or not trusted`,
  )
  // The same entry under a source that there is does not even link.
  const inserted = { ...row, position: 8, source: second, sequence: 4 }
  tamper(file, 'DELETE FROM changes WHERE position = 8')
  writeSealed(file, inserted)
  t.true(
    (await findingsIn(file)).includes(
      `position 8, change 4 of ${second}: it does not link to the change before it`,
    ),
  )
})

test('a certificate that was altered or is missing is named, with the changes that need it', async t => {
  const { file } = await makeLog(t)
  const { operatorCertificate } = rowAt(file, 1)
  tamper(
    file,
    'UPDATE certificates SET chain = ? WHERE fingerprint = ?',
    'AAAA',
    operatorCertificate,
  )
  const altered = await findingsIn(file)
  t.is(altered[0], `certificate ${operatorCertificate}: it was altered`)
  t.is(altered.length, 8)
  tamper(file, 'DELETE FROM certificates WHERE fingerprint = ?', operatorCertificate)
  const missing = await findingsIn(file)
  t.is(missing.length, 7)
  for (const finding of missing) t.regex(finding, /certificate of its operator, .* is missing/)
})

test('a change is sound when a certificate has expired since, not when it had expired before', async t => {
  const then = Date.now() - 100 * 86_400_000
  const people = await makeTestCerts(t, { ...PEOPLE, now: then })
  await people.issue('operator', 'admin', { days: 2 })
  const file = join(people.dir, 'whitelist.db')
  const { source } = await writeLog(file, people, ['+c1'], new FakeClock(then + 86_400_000))
  t.deepEqual((await verifyDatabase(file, trustOf(people))).findings, [])
  const row = rowAt(file, 1)
  const { at } = JSON.parse(row.text) as { at: number }
  writeSealed(file, { ...row, text: row.text.replace(String(at), String(at + 2 * 86_400_000)) })
  const [finding] = (await verifyDatabase(file, trustOf(people))).findings
  t.is(finding?.place, `position 1, change 1 of ${source}`)
  t.is(finding?.problem, 'the certificate of operator/admin is not of that time')
})

test('a file that is cut short, overwritten or none of ours is not sound, and what mends it is said', async t => {
  const { file } = await makeLog(t)
  const whole = readFileSync(file)
  truncateSync(file, whole.length - 4_096)
  const [cut] = (await verify(file)).findings
  t.is(cut?.place, 'the file')
  t.regex(cut?.fix ?? '', /^mv .*whitelist\.db .*damaged/)
  writeFileSync(file, 'not a database, but longer than the header of one'.repeat(100))
  t.regex((await findingsIn(file))[0] ?? '', /^the file: .*not a database/)
  writeFileSync(file, '')
  t.deepEqual(await findingsIn(file), ['the file: it is not a fridge database'])
  writeFileSync(file, whole)
  tamper(file, 'CREATE TRIGGER forget AFTER INSERT ON changes BEGIN DELETE FROM changes; END')
  t.deepEqual(await findingsIn(file), ['the file: its tables are not those of fridge'])
})

test('a page that was overwritten is found', async t => {
  const { file } = await makeLog(t)
  const bytes = readFileSync(file)
  bytes.fill(0x5a, 4_096, 4_196)
  writeFileSync(file, bytes)
  t.not((await verify(file)).findings.length, 0)
})

test('a database that a node is using is not checked, and how to do it is said', async t => {
  const { file } = await makeLog(t)
  using _node = openSqliteStore(file)
  const error = await t.throwsAsync(verify(file), {
    code: 'ERR_REFUSED',
    message: /a node is running/,
  })
  t.regex(String(error && 'fix' in error ? error.fix : ''), /fridge node backup copy\.db --data/)
})

test('while it is checked no node can start on it', async t => {
  const { file } = await makeLog(t)
  openSqliteStore(file)[Symbol.dispose]()
  const checked = verify(file)
  t.throws(() => openSqliteStore(file), { code: 'ERR_DATABASE' })
  t.deepEqual((await checked).findings, [])
  openSqliteStore(file)[Symbol.dispose]()
})

test('a database that is not there is a mistake of whoever asks', async t => {
  const file = join(await makeTestFolder(t), 'none.db')
  await t.throwsAsync(verify(file), { code: 'ERR_USAGE' })
  t.deepEqual(readdirSync(dirname(file)), [])
})

test('a stray counts with the proof that its node forked, and not without', async t => {
  const { file, first } = await makeLog(t)
  // The node gives the fourth place of its first run to another change.
  const held = rowAt(file, 4)
  const forked = await forkOf(t, first)
  const place = (row: Row): Pick<Row, 'source' | 'sequence'> => {
    const { source, sequence } = strayPlace(asEntry(row))
    return { source, sequence }
  }
  writeSealed(file, {
    ...forked,
    ...place(forked),
    position: 8,
    stray: JSON.stringify({ against: held }),
  })
  writeSealed(file, {
    ...held,
    ...place(held),
    position: 9,
    stray: JSON.stringify({ against: forked }),
  })
  const { findings, admitted, changes } = await verify(file)
  t.deepEqual(findings, [])
  t.is(changes, 9)
  t.is(admitted, 3)
  tamper(file, 'DELETE FROM changes WHERE position = 9')
  writeSealed(file, { ...rowAt(file, 8), stray: '{}' })
  t.deepEqual(await findingsIn(file), [
    `stray of change 4 of ${first}: nothing proves that its node forked`,
  ])
  writeSealed(file, { ...rowAt(file, 8), stray: '"' })
  t.regex(
    (await findingsIn(file)).join(),
    /^position 8, change 1 of .*: an update carries no entry$/,
  )
})

test('who has seen a change that is held as a stray alone has seen nothing that is missing', async t => {
  const { file, first } = await makeLog(t)
  const held = rowAt(file, 4)
  const forked = await forkOf(t, first)
  const later = [5, 6, 7].map(position => rowAt(file, position))
  tamper(file, 'DELETE FROM changes WHERE position > 3')
  for (const [index, row] of [held, forked].entries()) {
    const { source, sequence } = strayPlace(asEntry(row))
    const stray = JSON.stringify({ against: row === held ? forked : held })
    writeSealed(file, { ...row, source, sequence, position: 4 + index, stray })
  }
  for (const row of later) writeSealed(file, { ...row, position: row.position + 1 })
  t.deepEqual(await findingsIn(file), [])
})

/** Another fourth change of a source than the one that all know, signed by the same two. */
async function forkOf(t: ExecutionContext, source: string): Promise<Row> {
  const file = join(await makeTestFolder(t), 'whitelist.db')
  copyFileSync(original.file, file)
  tamper(file, 'DELETE FROM changes WHERE position > 3')
  await writeLog(file, certs, ['+c9'], systemClock, source as Source)
  return rowAt(file, 4)
}

function asEntry(row: Row): Entry {
  const entry = readEntryOf(row)
  if (typeof entry === 'string') throw new Error(entry)
  return entry
}
