import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import { parseCertificates } from '../identity/certificate-chain.ts'
import { pathOf } from '../identity/certificate-path.ts'
import { identityOf } from '../identity/identity.ts'
import { usagesOf } from '../identity/path-rules.ts'
import { chainOfPeer, DIAL_OPTIONS } from '../identity/tls.ts'
import { formatAddress, type Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { FridgeError } from '../lib/errors.ts'
import { foreignText } from '../lib/foreign-text.ts'
import { LineDecoder } from '../wire/lines.ts'
import {
  ENROLMENT_ALPN,
  MAX_LINE_BYTES,
  parseAnswer,
  parseGreeting,
  type Question,
} from './messages.ts'
import { pinOf } from './token.ts'

export interface EnrollOptions {
  /** The enrolment port of a node. */
  readonly address: Address
  /** The authorities by one of which the node must be known, as `pinOf` writes them. */
  readonly pins: readonly string[]
  /** Said once the node has shown who it is. */
  readonly question: Question
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** What came of it. */
export interface Enrolled {
  /** The certificate, then its intermediates. */
  readonly chain: readonly [X509Certificate, ...X509Certificate[]]
  /** The authority that was pinned. */
  readonly authority: X509Certificate
  /** Whom the node itself trusts: its word alone, which makes nobody trusted here. */
  readonly bundle: readonly X509Certificate[]
}

/** How long all of it may take, in milliseconds. */
const ENROLL_MS = 20_000

/**
 * Ask a node for a certificate, which is checked to be what was asked for by whoever calls. Nothing
 * is said before the node has proven to be one of the pinned authority, for the host that is dialed.
 * @throws FridgeError `ERR_TLS`, `ERR_UNREACHABLE`, `ERR_TIMEOUT`, `ERR_REFUSED`, `ERR_PROTOCOL`
 */
export async function enroll(options: EnrollOptions): Promise<Enrolled> {
  const { address, question, clock, signal } = options
  const at = formatAddress(address)
  // Who it is, is judged below: by the pin, as no authority is known yet.
  const socket = connect({
    ...address,
    ...DIAL_OPTIONS,
    ...(/^[\d.]+$|:/.test(address.host) ? {} : { servername: address.host }),
    ALPNProtocols: [ENROLMENT_ALPN],
    rejectUnauthorized: false,
  })
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  const fail = (code: 'ERR_UNREACHABLE' | 'ERR_TIMEOUT', why: string, cause?: unknown): void =>
    failed.reject(
      new FridgeError(code, `${at} ${why}`, {
        cause,
        fix: 'check the address: that of enrolment.listen in the configuration of the node',
      }),
    )
  using _deadline = clock.after(ENROLL_MS, () => fail('ERR_TIMEOUT', 'does not answer'))
  const abort = (): void => failed.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  socket.on('error', cause => fail('ERR_UNREACHABLE', 'cannot be reached', cause))
  const lines = readLines(socket, () => fail('ERR_UNREACHABLE', 'closed the connection'))
  try {
    await Promise.race([failed.promise, once(socket, 'secureConnect')])
    const greeting = parseGreeting(await Promise.race([failed.promise, lines()]))
    if (greeting === undefined) throw nonsense(at)
    const authority = authenticate(socket, greeting.authorities, options)
    socket.write(`${JSON.stringify(question)}\n`)
    const answer = parseAnswer(await Promise.race([failed.promise, lines()]))
    if (answer === undefined) throw nonsense(at)
    if ('certificate' in answer) {
      const bundle = parseCertificates(greeting.authorities, at)
      return { chain: parseCertificates(answer.certificate, at), authority, bundle }
    }
    const { error, fix } = answer
    throw new FridgeError('ERR_REFUSED', `${at} refuses: ${foreignText(error)}`, {
      ...(fix !== undefined && { fix: foreignText(fix) }),
    })
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}

/**
 * Whether the other end is a node of a pinned authority, for this host.
 * @returns that authority
 * @throws FridgeError `ERR_TLS`
 */
function authenticate(
  socket: TLSSocket,
  authorities: string,
  { address, pins, clock }: EnrollOptions,
): X509Certificate {
  const at = formatAddress(address)
  const refuse = (why: string, fix: string): FridgeError =>
    new FridgeError('ERR_TLS', `${at} ${why}`, { fix })
  const authority = parseCertificates(authorities, at).find(one => pins.includes(pinOf(one)))
  if (authority === undefined) {
    throw refuse(
      'is of another authority than the one that was pinned',
      'check that it is a node of the cluster whose operator gave the token',
    )
  }
  const [leaf, ...intermediates] = chainOfPeer(socket)
  const path =
    leaf === undefined
      ? { broken: 'it shows no certificate' }
      : pathOf(leaf, {
          intermediates,
          trusted: [authority],
          usages: usagesOf('node'),
          at: clock.now(),
        })
  if (leaf === undefined || 'broken' in path) {
    const why = 'broken' in path ? path.broken : 'it shows no certificate'
    throw refuse(
      `is no node of that cluster: ${why}`,
      'compare the clocks (date), then the address',
    )
  }
  if (identityOf(leaf.raw).role !== 'node') {
    throw refuse('is no node of that cluster', 'check the address')
  }
  const mismatch = checkServerIdentity(address.host, socket.getPeerCertificate())
  if (mismatch === undefined) return authority
  throw refuse(
    `shows a certificate that is not for the host ${address.host}`,
    'use a name or an address that the certificate of the node was issued for',
  )
}

function nonsense(at: string): FridgeError {
  return new FridgeError('ERR_PROTOCOL', `${at} does not answer as an enrolment port does`, {
    fix: 'check the address: that of enrolment.listen in the configuration of the node',
  })
}

/** Lines as they come, one for each call. */
function readLines(socket: TLSSocket, onEnd: () => void): () => Promise<string> {
  const come: string[] = []
  const decoder = new LineDecoder(MAX_LINE_BYTES)
  let wanted: PromiseWithResolvers<string> | undefined
  socket.on('data', (chunk: Uint8Array) => {
    const refusal = decoder.write(chunk, line => {
      if (wanted === undefined) come.push(line)
      else wanted.resolve(line)
      wanted = undefined
      return come.length <= 2
    })
    if (refusal !== undefined) socket.destroy()
  })
  socket.once('close', onEnd)
  return async () => {
    const line = come.shift()
    if (line !== undefined) return line
    wanted = Promise.withResolvers<string>()
    return wanted.promise
  }
}
