import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'
import { LAUNCHER } from '../support/launcher.ts'

const run = promisify(execFile)

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

test('a change whose outcome cannot be printed is told of in one line, with what was done', async t => {
  await using cluster = await startCluster(t, { certs })
  for (const [command, done] of [
    ['add', 'added'],
    ['remove', 'removed'],
  ]) {
    const line = `"$0" whitelist ${command} c1 --as admin --node ${cluster.address(1)} >/dev/full`
    const failed = await t.throwsAsync<Error & { code: number; stderr: string }>(
      run('sh', ['-c', line, LAUNCHER], { env: { ...process.env, FRIDGE_CERTS: certs.dir } }),
    )
    t.is(failed?.code, 1)
    t.is(
      failed?.stderr,
      `fridge: stdout cannot be written: ENOSPC: no space left on device, write; c1 is ${done} on node-1\n`,
    )
  }
})

/** Runs a command line that can make no file longer: to the process the disk is full. */
async function runOnFullDisk(line: string, cwd: string): Promise<{ code: number; stderr: string }> {
  // The compile cache of the launcher is elsewhere.
  const env = { ...process.env, FRIDGE_CERTS: certs.dir, NODE_COMPILE_CACHE: '' }
  const script = `ulimit -f 0; cd "$1" && "$0" ${line}`
  return run('sh', ['-c', script, LAUNCHER, cwd], { env }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    (error: { code: number; stderr: string }) => error,
  )
}

test('a file that is written anew stays as it was where the disk is full, and room is asked for', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cwd = await makeTestFolder(t)
  await writeFile(join(cwd, 'list.csv'), 'of yesterday')
  const line = `whitelist export --format csv --out list.csv --as admin --node ${cluster.address(1)}`
  const { code, stderr } = await runOnFullDisk(line, cwd)
  t.is(code, 2)
  t.regex(stderr, /^fridge: cannot write list\.csv: .*\n {2}to mend it: make room there.*: df -h /)
  t.is(await readFile(join(cwd, 'list.csv'), 'utf8'), 'of yesterday')
  t.deepEqual(await readdir(cwd), ['list.csv'])
})

test('a file is written anew where a link leads, with the rights that it had', async t => {
  await using cluster = await startCluster(t, { certs })
  await cluster.grant(1, 'c1')
  const cwd = await makeTestFolder(t)
  await writeFile(join(cwd, 'kept.csv'), 'of yesterday', { mode: 0o600 })
  await symlink('kept.csv', join(cwd, 'list.csv'))
  const env = { FRIDGE_CERTS: certs.dir }
  const where = ['--as', 'admin', '--node', cluster.address(1)]
  const args = ['whitelist', 'export', '--format', 'csv', '--out', 'list.csv', ...where]
  const { status, err } = await runCommand(args, { cwd, env })
  t.is(status, 0, err)
  t.is(await readlink(join(cwd, 'list.csv')), 'kept.csv')
  t.regex(await readFile(join(cwd, 'kept.csv'), 'utf8'), /^name,.*\nc1,/)
  t.is((await stat(join(cwd, 'kept.csv'))).mode & 0o777, 0o600)
})

test('no half of a passphrase is left where the disk is full', async t => {
  const cwd = await makeTestFolder(t)
  const { code, stderr } = await runOnFullDisk('seal passphrase kitchen --out k.txt', cwd)
  t.is(code, 1)
  t.regex(stderr, /^fridge: .*k\.txt cannot be written: .*\n {2}to mend it: make room there/)
  t.deepEqual(await readdir(cwd), [])
})
