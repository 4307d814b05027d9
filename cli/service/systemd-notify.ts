import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { CommandIo } from '../io.ts'
import type { SendNotice } from './notice.ts'

/** How long systemd may take to take a notice, in milliseconds. */
const TIMEOUT_MS = 10_000

/**
 * Tells systemd by its own program: Node.js opens no datagram socket of the Unix family
 * (ARCHITECTURE.md, "systemd is told by its own program"). It waits until systemd has read the
 * notice, so systemd still knows whose process sent it.
 * @returns undefined where no service manager wants to be told
 */
export function systemdNotify({ env }: Pick<CommandIo, 'env'>): SendNotice | undefined {
  const socket = env['NOTIFY_SOCKET'] || undefined
  if (socket === undefined) return undefined
  const options = { env: { PATH: env['PATH'], NOTIFY_SOCKET: socket }, timeout: TIMEOUT_MS }
  return async variables => {
    await promisify(execFile)('systemd-notify', [...variables], options)
  }
}
