import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Run the openssl command line in a folder.
 * @returns what it printed to stdout
 * @throws with what it printed to stderr when it fails
 */
export async function openssl(cwd: string, ...args: readonly string[]): Promise<string> {
  // No configuration of the machine: what these tests show must hold anywhere.
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', OPENSSL_CONF: '/dev/null' }
  const { stdout } = await run('openssl', args, { cwd, env })
  return stdout
}
