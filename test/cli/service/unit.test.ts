import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { serviceUnit } from '../../../cli/service/unit.ts'
import { makeTestFolder } from '../../support/certs.ts'

const run = promisify(execFile)

const hasSystemd = await run('systemd-analyze', ['--version']).then(
  () => true,
  () => false,
)

/** The exposure that systemd-analyze may find at worst, 100 for a service that nothing confines. */
const WORST_EXPOSURE = 25

;(hasSystemd ? test : test.skip)('systemd finds nothing wrong with the unit', async t => {
  const folder = await makeTestFolder(t)
  const unit = join(folder, 'fridge.service')
  const program = [process.execPath, join(folder, 'a b', '$HOME', '100%', 'main.js')]
  await mkdir(join(folder, 'etc'))
  await writeFile(unit, serviceUnit({ program, config: '/etc/fridge/node.yaml' }))
  const { stderr } = await run('systemd-analyze', ['verify', '--man=no', unit])
  t.is(stderr, '')
  const args = ['security', '--offline=true', `--threshold=${WORST_EXPOSURE}`, unit]
  const { stdout } = await run('systemd-analyze', args)
  t.regex(stdout, /Overall exposure level/)
})

test('a command is quoted as systemd reads it', t => {
  const unit = serviceUnit({ program: ['/opt/a b/node', '/opt/100%/$x/main.js'], config: '/c' })
  const line = unit.split('\n').find(each => each.startsWith('ExecStart='))
  t.is(line, 'ExecStart="/opt/a b/node" /opt/100%%/$$x/main.js node start --config /c')
})
