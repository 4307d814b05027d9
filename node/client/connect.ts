import { parseAddress, type Address } from '../lib/address.ts'
import { systemClock, type Clock, type Random } from '../lib/clock.ts'
import { findCredentials, type Credentials } from '../identity/credentials.ts'
import { parseName } from '../identity/names.ts'
import { Fridge } from './fridge.ts'
import { NodeDialer } from './node-dialer.ts'

interface CommonOptions {
  /** One node or more, `HOST:PORT`. The first node that answers serves; the others stand in for it. */
  readonly nodes: readonly (string | Address)[]
  /** Closes everything when it aborts: what waits is rejected with its reason. */
  readonly signal?: AbortSignal
  /** How long one node may take to let this client in, ms. Default 10000. */
  readonly timeoutMs?: number
  /**
   * The wait before a try to reconnect, ms: at random from half of `minMs` (default 250) to a bound
   * that doubles with each failure, up to `maxMs` (default 10000); the first try is at once. Less
   * finds a node sooner, and costs nodes that come up a storm of handshakes.
   */
  readonly retry?: { readonly minMs?: number; readonly maxMs?: number }
  /** Default: the system's. */
  readonly clock?: Clock
  /**
   * Opens sensors that their nodes seal. Default none: they are `unavailable`, as with a passphrase
   * that is not theirs. Deriving its key holds the program up for some 0.15 s, once a channel.
   */
  readonly passphrase?: string
  /** For the jitter of tries. Default Math.random. */
  readonly random?: Random
}

/** Who the client is: a name in a certificate folder, or loaded credentials. */
export type ConnectOptions = CommonOptions &
  (
    | {
        /** The certificate folder: `DIR/clients/NAME/` and `DIR/ca/certificate.pem`. */
        readonly certs: string
        /** The client's name. Default: the only one in that folder. */
        readonly as?: string
        readonly credentials?: never
      }
    | {
        /** A function is asked again before each try, so that renewed files are taken up. */
        readonly credentials: Credentials | (() => Promise<Credentials>)
        readonly certs?: never
        readonly as?: never
      }
  )

/**
 * Connect to the first node that answers, and from then on stay connected to one of them.
 * @throws FridgeError why no node could be used: `ERR_UNREACHABLE`, `ERR_TIMEOUT`, `ERR_TLS`, or
 *   how a node refuses: `ERR_NOT_LISTED`, `ERR_REVOKED`, `ERR_EXPIRED`, `ERR_REFUSED`, `ERR_ISOLATED`
 * @throws TypeError without nodes; the signal's reason when it aborts
 */
export async function connect(options: ConnectOptions): Promise<Fridge> {
  const { nodes, signal, clock = systemClock, random = Math.random, timeoutMs, retry } = options
  const { minMs = 250, maxMs = 10_000 } = retry ?? {}
  const dialer = new NodeDialer({
    nodes: nodes.map(node => (typeof node === 'string' ? parseAddress(node) : node)),
    credentials: credentialsOf(options, clock),
    clock,
    ...(timeoutMs !== undefined && { timeoutMs }),
  })
  const { passphrase } = options
  return Fridge.open({ dialer, clock, random, retry: { minMs, maxMs }, signal, passphrase })
}

function credentialsOf(options: ConnectOptions, clock: Clock): () => Promise<Credentials> {
  const { credentials } = options
  if (typeof credentials === 'function') return credentials
  if (credentials !== undefined) return async () => credentials
  const { certs: dir, as } = options
  const name = as === undefined ? undefined : parseName(as)
  return async () => findCredentials({ dir, role: 'client', name }, { now: clock.now() })
}
