import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import test from 'ava'
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
