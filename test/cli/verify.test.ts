import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, type CommandResult } from '../support/cli.ts'
import { makeSharedCerts, PEOPLE } from '../support/cluster.ts'
import { writeLog } from '../support/signed-log.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const ENV = { FRIDGE_CERTS: certs.dir }

/** A folder with the database of a stopped node, `data/node-1/whitelist.db`. */
async function makeData(t: ExecutionContext): Promise<string> {
  const cwd = await makeTestFolder(t)
  await writeLog(join(cwd, 'data/node-1/whitelist.db'), certs, ['+c1', '+c2', '-c1'])
  return cwd
}

async function verify(cwd: string, ...args: string[]): Promise<CommandResult> {
  return runCommand(['node', 'verify', ...args], { cwd, env: ENV })
}

function tamper(file: string, sql: string): void {
  using database = new DatabaseSync(file)
  database.exec(sql)
}

test('a sound database is said to be sound, with what it holds', async t => {
  const cwd = await makeData(t)
  t.deepEqual(await verify(cwd, '--data', 'data/node-1'), {
    status: 0,
    out: 'data/node-1/whitelist.db is sound: 3 changes of 1 source, 2 signers\nthe list that a node builds from it lets in 1 name',
    err: '',
  })
})

test('the node is named by its folder, its name or its configuration', async t => {
  const cwd = await makeData(t)
  await writeFile(join(cwd, 'node.yaml'), 'name: node-1\n')
  for (const args of [
    ['--data', join(cwd, 'data/node-1')],
    ['--name', 'node-1'],
    ['--config', 'node.yaml', '--certs', certs.dir],
  ]) {
    t.is((await verify(cwd, ...args)).status, 0)
  }
  const { status } = await runCommand(['node', 'verify'], {
    cwd,
    env: { ...ENV, FRIDGE_DATA: 'data/node-1' },
  })
  t.is(status, 0)
  const unnamed = await verify(cwd)
  t.is(unnamed.status, 2)
  t.regex(unnamed.err, /nothing says which node\n.*--data DIR/)
})

test('every finding is printed with its place, and what mends it', async t => {
  const cwd = await makeData(t)
  tamper(join(cwd, 'data/node-1/whitelist.db'), "UPDATE changes SET text = '{}' WHERE position = 2")
  const { status, out } = await verify(cwd, '--name', 'node-1')
  t.is(status, 1)
  t.regex(
    out,
    /^position 2, change 2 of node-1#[0-9a-f]{16}: its text was altered, or which certificates it names: it has another hash\n {2}to mend it: mv .*\n.* is not sound: 1 finding \(3 changes of 1 source, 2 signers\)$/,
  )
  const json = await verify(cwd, '--name', 'node-1', '--json')
  t.is(json.status, 1)
  const document = JSON.parse(json.out) as { findings: object[] }
  t.like(document, { sound: false, changes: 3, file: join(cwd, 'data/node-1/whitelist.db') })
  t.deepEqual(Object.keys(document.findings[0] ?? {}), ['place', 'problem', 'fix'])
})

test('who trusts another authority finds every change unsigned', async t => {
  const cwd = await makeData(t)
  const other = await makeSharedCerts(PEOPLE)
  t.teardown(other.remove)
  const { status, out } = await verify(cwd, '--name', 'node-1', '--certs', other.certs.dir)
  t.is(status, 1)
  t.regex(out, /is not trusted: it was signed by another authority/)
  t.regex(out, /is not sound: 5 findings/)
})

test('only the bundle of authorities is needed of the certificates', async t => {
  const cwd = await makeData(t)
  await mkdir(join(cwd, 'certs/ca'), { recursive: true })
  await writeFile(join(cwd, 'certs/ca/certificate.pem'), certs.ca)
  t.is((await verify(cwd, '--name', 'node-1', '--certs', 'certs')).status, 0)
  await rm(join(cwd, 'certs/ca/certificate.pem'))
  const { status, err } = await verify(cwd, '--name', 'node-1', '--certs', 'certs')
  t.is(status, 1)
  t.regex(err, /cannot tell who is trusted.*\n.*--certs DIR/)
})

test('while a node runs on it, it is refused with what to do, and that works', async t => {
  const cwd = await makeData(t)
  using _node = openSqliteStore(join(cwd, 'data/node-1/whitelist.db'))
  const { status, err } = await verify(cwd, '--name', 'node-1')
  t.is(status, 4)
  const [, fix] = /to mend it: stop it; or check a copy: (.*)$/.exec(err) ?? []
  for (const command of fix?.split(' && ') ?? []) {
    const [program, ...args] = command.split(' ')
    t.is(program, 'fridge')
    const result = await runCommand(args, { cwd, env: ENV })
    t.is(result.status, 0, result.err)
  }
  t.regex((await verify(cwd, 'copy.db')).out, /^copy\.db is sound/)
})

test('where there is no database, nothing is made', async t => {
  const cwd = await makeTestFolder(t)
  const { status, err } = await verify(cwd, '--data', 'data')
  t.is(status, 2)
  t.regex(err, /there is no database .*data\/whitelist\.db/)
})
