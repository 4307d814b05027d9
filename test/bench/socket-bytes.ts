import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { errorCode } from '../../node/lib/errors.ts'

/** The longest list of sockets that is read, bytes: some 600 a socket. */
const MAX_LISTING = 64 * 1_024 * 1_024

/** What each socket between processes has received, bytes, by its two ends. */
export type Sockets = ReadonlyMap<string, number>

/**
 * The connections among these processes on loopback, without those to anybody else, as ss(8) of
 * iproute2 shows them.
 */
export async function readSockets(pids: ReadonlySet<number>): Promise<Sockets> {
  const all = new Map<string, number>()
  for (const line of (await listSockets()).split('\n')) {
    const [, , local, peer] = line.split(/\s+/)
    const pid = Number(/pid=(\d+)/.exec(line)?.[1])
    const received = Number(/bytes_received:(\d+)/.exec(line)?.[1] ?? 0)
    if (pids.has(pid)) all.set(`${local} ${peer}`, received)
  }
  const isAmongThem = (key: string): boolean => all.has(key.split(' ').toReversed().join(' '))
  return new Map([...all].filter(([key]) => isAmongThem(key)))
}

/** What all of them have received meanwhile, without those that have ended. */
export function bytesBetween(before: Sockets, after: Sockets): number {
  let bytes = 0
  for (const [key, received] of after) bytes += received - (before.get(key) ?? 0)
  return bytes
}

async function listSockets(): Promise<string> {
  try {
    const args = ['-HOtinp', 'state', 'established']
    const { stdout } = await promisify(execFile)('ss', args, { maxBuffer: MAX_LISTING })
    return stdout
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause
    throw new Error('this bench needs ss: apt-get install iproute2', { cause })
  }
}
