import { connect } from 'node:net'
import { DIAL_OPTIONS } from '../../node/identity/tls.ts'
import { formatAddress, type Address } from '../../node/lib/address.ts'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import type { CommandIo } from '../io.ts'

type Io = Pick<CommandIo, 'clock' | 'signal'>

/** How long a node may take to hang up on what is no TLS, in milliseconds. */
const HANG_UP_MS = 3_000

/** Longer than the head of a record, which TLS waits for (RFC 8446, section 5.1). */
const NONSENSE = 'no TLS\r\n'

/**
 * Reach a node, and where it takes the connection and then stays silent find out why: a node that
 * hangs up at once on a few bytes of nonsense lives, so that what it answers to a handshake, which
 * fills whole packets, is lost on the way.
 * @throws FridgeError what `dial` throws, or that large packets are lost
 */
export async function reach<T>(address: Address, io: Io, dial: () => Promise<T>): Promise<T> {
  try {
    return await dial()
  } catch (error) {
    if (!isTimeout(error) || !(await hangsUpOnNonsense(address, io))) throw error
    const at = formatAddress(address)
    throw new FridgeError(
      'ERR_TIMEOUT',
      `${at} answers small packets at once, and a TLS handshake never: large packets are lost on the way`,
      {
        cause: error,
        fix: `find what passes: ping -M do -s 1400 ${address.host}; then lower the MTU there, or here: ip link set dev DEVICE mtu 1280`,
      },
    )
  }
}

function isTimeout(error: unknown): boolean {
  if (errorCode(error) === 'ERR_TIMEOUT') return true
  // Between nodes.
  return (
    error instanceof FridgeError &&
    error.cause instanceof DOMException &&
    error.cause.name === 'TimeoutError'
  )
}

async function hangsUpOnNonsense(address: Address, { clock, signal }: Io): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ ...address, ...DIAL_OPTIONS })
  let isTaken = false
  socket.once('connect', () => {
    isTaken = true
    socket.write(NONSENSE)
  })
  socket.on('error', () => {}).resume()
  socket.once('end', () => resolve(true))
  socket.once('close', () => resolve(isTaken))
  using _deadline = clock.after(HANG_UP_MS, () => resolve(false))
  const abort = (): void => resolve(false)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}
