import { execFile } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { VERSION } from '../../node/lib/version.ts'
import { makeTestFolder } from '../support/certs.ts'
import { LAUNCHER } from '../support/launcher.ts'

const run = promisify(execFile)

test('links to the launcher lead to its packages, also one to another', async t => {
  const folder = await makeTestFolder(t)
  const bin = join(folder, 'bin')
  await mkdir(bin)
  await symlink(LAUNCHER, join(folder, 'fridge'))
  await symlink('../fridge', join(bin, 'fridge'))
  const { stdout } = await run(join(bin, 'fridge'), ['--version'])
  t.is(stdout.trim(), VERSION)
})
