import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import {
  runNodeInstallService,
  type InstallServiceOptions,
} from '../../cli/commands/node-install-service.ts'
import type { CommandIo } from '../../cli/io.ts'
import { installationScript } from '../../cli/service/installation.ts'
import { loadConfig } from '../../node/config/load-config.ts'
import { makeTestFolder } from '../support/certs.ts'
import { recordIo, runCommand, spawnCli } from '../support/cli.ts'
import { makeSharedCerts } from '../support/cluster.ts'

const shared = await makeSharedCerts()
test.after.always(() => shared.remove())

const PROGRAM: CommandIo['self'] = ['/usr/bin/node', '/usr/lib/fridge/main.js']

interface Machine {
  readonly isRoot?: boolean
  readonly hasPackage?: boolean
  /** What the script ends with. */
  readonly status?: number
  readonly self?: CommandIo['self']
}

/** Install with a machine that is played. */
function install(
  options: InstallServiceOptions,
  { isRoot = true, hasPackage = false, status = 0, self = PROGRAM }: Machine = {},
) {
  const { io, out } = recordIo()
  const scripts: string[] = []
  const runScript = async (script: string): Promise<number> => {
    scripts.push(script)
    return status
  }
  const done = runNodeInstallService(options, { ...io, self }, { isRoot, hasPackage, runScript })
  return { done, out, scripts }
}

test('a dry run prints the script that root would run, and needs no root', async t => {
  const named = { name: 'node-1', config: '/etc/fridge/none.yaml' }
  const printed = install({ ...named, dryRun: true }, { isRoot: false })
  t.is(await printed.done, 0)
  t.deepEqual(printed.scripts, [])
  const installed = install(named)
  t.is(await installed.done, 0)
  t.deepEqual(installed.scripts, [`${printed.out.text}\n`])
})

test('without root nothing is done, and the command is given that mends it', async t => {
  const { done, scripts } = install({ name: 'node-1' }, { isRoot: false })
  const error = await t.throwsAsync(done)
  t.like(error, {
    code: 'ERR_USAGE',
    fix: 'sudo fridge node install-service --name node-1; --dry-run prints what it would do',
  })
  t.deepEqual(scripts, [])
})

test('beside the Debian package nothing is installed, and the reason is given', async t => {
  const { done, scripts } = install({ name: 'node-1' }, { hasPackage: true })
  const error = await t.throwsAsync(done)
  t.like(error, { code: 'ERR_CONFIG' })
  t.regex(error.message, /^the Debian package of fridge is installed/)
  t.regex(
    String(Reflect.get(error, 'fix')),
    /systemctl enable --now fridge\.service.*apt remove fridge/,
  )
  t.deepEqual(scripts, [])
  const printed = install({ name: 'node-1', dryRun: true }, { hasPackage: true })
  t.is(await printed.done, 0)
})

test('a node without a configuration needs a name, and one in a home folder is out of reach', async t => {
  const config = '/etc/fridge/none.yaml'
  const unnamed = await runCommand(['node', 'install-service', '--config', config])
  t.is(unnamed.status, 2)
  t.regex(unnamed.err, /nothing says which node\n.*install-service --name node-1/)
  const self: CommandIo['self'] = ['/home/maria/node', '/home/maria/fridge/main.js']
  const home = install({ name: 'node-1' }, { self })
  t.like(await t.throwsAsync(home.done), { code: 'ERR_CONFIG' })
  const failed = install({ name: 'node-1' }, { status: 1 })
  t.like(await t.throwsAsync(failed.done), { code: 'ERR_CONFIG' })
})

test('the script makes user, folders, configuration and unit once, and again changes the unit alone', async t => {
  const root = await makeTestFolder(t)
  const bin = join(root, 'bin')
  await mkdir(bin)
  await mkdir(join(root, 'etc/systemd/system'), { recursive: true })
  // What changes the machine is played: each says what it was asked.
  const played = '#!/bin/sh\necho "${0##*/} $*" >>"$PLAYED"\n'
  for (const name of ['useradd', 'systemctl', 'chown']) await writeFile(join(bin, name), played)
  await writeFile(join(bin, 'getent'), `#!/bin/sh\ngrep -q useradd "$PLAYED"\n`)
  await writeFile(
    join(bin, 'install'),
    `#!/bin/sh\necho "install $*" >>"$PLAYED"\nfor each; do case $each in /*) mkdir -p "$each";; esac; done\n`,
  )
  for (const name of ['useradd', 'systemctl', 'chown', 'getent', 'install']) {
    await chmod(join(bin, name), 0o755)
  }
  const log = join(root, 'played')
  await writeFile(log, '')
  const config = join(root, 'etc/fridge/node.yaml')
  const script = installationScript({
    program: PROGRAM,
    config,
    node: { name: 'node-1', host: 'shop' },
  })
    .replaceAll('/etc/fridge/certs', join(root, 'etc/fridge/certs'))
    .replaceAll(' /etc/', ` ${root}/etc/`)
    .replaceAll('>/etc/', `>${root}/etc/`)
    .replaceAll(' /var/', ` ${root}/var/`)
  const env = { PATH: `${bin}:${process.env['PATH']}`, PLAYED: log }
  const run = async (): Promise<string[]> => {
    await writeFile(log, (await readFile(log, 'utf8')).includes('useradd') ? 'useradd\n' : '')
    await promisify(execFile)('sh', ['-c', script], { env })
    return (await readFile(log, 'utf8')).trim().split('\n')
  }
  const first = await run()
  t.true(first.some(line => line.startsWith('useradd --system')))
  t.is(first.at(-1), 'systemctl enable fridge.service')
  const loaded = await loadConfig({ file: config, env: {}, flags: {}, cwd: root })
  t.is(String(loaded.name), 'node-1')

  await writeFile(config, 'name: mine\n')
  await writeFile(join(root, 'etc/systemd/system/fridge.service'), 'old')
  const again = await run()
  t.false(again.some(line => line.startsWith('useradd -')))
  t.is(await readFile(config, 'utf8'), 'name: mine\n')
  t.regex(await readFile(join(root, 'etc/systemd/system/fridge.service'), 'utf8'), /Type=notify/)
})

test('a node tells systemd that it serves, that it lives, and that it stops', async t => {
  const folder = await makeTestFolder(t)
  const bin = join(folder, 'bin')
  await mkdir(bin)
  await writeFile(
    join(bin, 'systemd-notify'),
    '#!/bin/sh\necho "notify $NOTIFY_SOCKET $*" >>"${0%/*}/../told"\n',
  )
  await chmod(join(bin, 'systemd-notify'), 0o755)
  const told = async (): Promise<string> => readFile(join(folder, 'told'), 'utf8').catch(() => '')
  // Who feeds a sensor is not handed what speaks for the service.
  await writeFile(
    join(folder, 'node.yaml'),
    `name: node-1
listen: 127.0.0.1:0
sensors:
  temperature: { driver: command, kind: temperature, command: [sh, -c, 'echo "socket=$NOTIFY_SOCKET" >&2; echo 4; cat'] }
`,
  )
  const node = spawnCli(
    t,
    ['node', 'start', '--config', 'node.yaml', '--certs', shared.certs.dir, '--data', 'data'],
    {
      cwd: folder,
      env: {
        PATH: `${bin}:${process.env['PATH']}`,
        NOTIFY_SOCKET: '/run/played',
        FRIDGE_LOG_LEVEL: 'debug',
      },
    },
  )
  await node.out.find(/ready/).catch(() => t.fail(node.err.text))
  await node.err.find(/socket=/)
  node.child.kill('SIGTERM')
  t.is(await node.exit, 0, node.err.text)
  const notices = (await told()).trim().split('\n')
  t.is(notices[0], 'notify /run/played READY=1 STATUS=serving WATCHDOG=1')
  t.is(notices.at(-1), 'notify /run/played STOPPING=1 STATUS=stopping')
  t.false(node.err.text.includes('socket=/run'))
})
