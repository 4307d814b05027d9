import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** Why this process may not make the namespaces of the suite; undefined where it may. */
function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux'
  const { error, status, stderr } = spawnSync('unshare', ['--net', 'test', '-c', '/dev/net/tun'], {
    encoding: 'utf8',
  })
  if (error !== undefined) return 'there is no unshare; fix: apt-get install util-linux'
  if (status === 0) return undefined
  return stderr.trim() || 'there is no /dev/net/tun; fix: modprobe tun'
}

const reason = whyNot()

if (reason === undefined) {
  // All that the suite does to a network, it does to one that nobody else has and that ends with it.
  const ava = [join(ROOT, 'node_modules/.bin/ava'), '--config', 'test/lines/ava.config.js']
  const { status } = spawnSync('unshare', ['--net', ...ava, ...process.argv.slice(2)], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} else {
  console.log(`test:lines: nothing was tested, because only root may make its lines: ${reason}`)
}
