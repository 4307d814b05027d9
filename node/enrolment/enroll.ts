import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { checkServerIdentity, type TLSSocket } from 'node:tls'
import { follow, type Succession } from '../authority/succession.ts'
import { hangsBelow, oneLine, parseCertificates } from '../identity/certificate-chain.ts'
import { pathOf } from '../identity/certificate-path.ts'
import { identityOf } from '../identity/identity.ts'
import { usagesOf } from '../identity/path-rules.ts'
import { chainOfPeer, connectTls, DIAL_OPTIONS } from '../identity/tls.ts'
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
  type Greeting,
  type Question,
} from './messages.ts'
import { pinOf } from './token.ts'

export interface EnrollOptions {
  /** The enrolment port of a node. */
  readonly address: Address
  /** The authority by which the node must be known, or by a successor of it: as `pinOf` writes it, */
  readonly pin?: string
  /** or those that are trusted already. */
  readonly known?: readonly X509Certificate[]
  /** Said once the node has shown who it is. */
  readonly question: Question
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** What came of it. */
export interface Enrolled {
  /** The certificate, then its intermediates. */
  readonly chain: readonly [X509Certificate, ...X509Certificate[]]
  /** The authorities that were known, with those that they have named; without those that ended. */
  readonly trusted: readonly X509Certificate[]
  /** Those of the known ones that are to be trusted no more, by the word of their successors. */
  readonly withdrawn: readonly X509Certificate[]
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
  const socket = connectTls({
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
    const heard = hear(greeting, options)
    authenticate(socket, heard.trusted, options)
    assertUseful(greeting, heard, options)
    socket.write(`${JSON.stringify(question)}\n`)
    const answer = parseAnswer(await Promise.race([failed.promise, lines()]))
    if (answer === undefined) throw nonsense(at)
    if ('certificate' in answer) {
      const bundle = parseCertificates(greeting.authorities, at)
      return { chain: parseCertificates(answer.certificate, at), ...heard, bundle }
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
 * Whom to trust by what was known before, and by what these authorities have signed.
 * @throws FridgeError `ERR_TLS` when the node is of none of them
 */
function hear(
  { authorities, succession }: Greeting,
  { address, pin, known = [], question, clock }: EnrollOptions,
): Succession {
  const at = formatAddress(address)
  const offered = parseCertificates(authorities, at)
  const pinned = offered.filter(one => pinOf(one) === pin)
  const heard = follow([...known, ...pinned], offered, succession, clock.now())
  if (heard.trusted.some(one => offered.some(({ raw }) => raw.equals(one.raw)))) return heard
  if ('chain' in question) {
    throw refused(
      at,
      'is of another authority than those that are trusted here',
      `check the address; if the authority was replaced while this device was off, ${anew(question.chain)}`,
    )
  }
  throw refused(
    at,
    'is of another authority than the one that was pinned',
    'check that it is a node of the cluster whose operator gave the token',
  )
}

/** Of a device that was off while its authority was replaced, nobody can say that it is still the same. */
function anew(chain: string): string {
  const [leaf] = parseCertificates(chain, 'the certificate to renew')
  const { name } = identityOf(leaf.raw)
  return `get a token from an operator (fridge certs token client ${name}), and here: fridge certs enroll --force`
}

/**
 * That what the node would sign can be used here: a token is good once, and is kept for better.
 * @throws FridgeError `ERR_CERTIFICATE`
 */
function assertUseful(
  { issuer }: Greeting,
  { trusted, withdrawn }: Succession,
  { address, question }: EnrollOptions,
): void {
  const at = formatAddress(address)
  if ('chain' in question) {
    const chain = parseCertificates(question.chain, 'the certificate to renew')
    if (!hangsBelow(chain, trusted) && hangsBelow(chain, withdrawn)) {
      const ended = withdrawn.map(({ subject }) => `"${oneLine(subject)}"`).join(', ')
      throw new FridgeError(
        'ERR_CERTIFICATE',
        `this certificate cannot be renewed: its authority ${ended} was replaced while this device was off`,
        { fix: anew(question.chain) },
      )
    }
  }
  // A node of before does not show it.
  if (issuer === undefined || hangsBelow(parseCertificates(issuer, at), trusted)) return
  throw new FridgeError(
    'ERR_CERTIFICATE',
    `${at} would sign with an issuing key of an authority that is not trusted here; nothing was asked for`,
    {
      fix: 'where the authority is: fridge certs issuing-key NODE --force, and copy it to that node',
    },
  )
}

function refused(at: string, why: string, fix: string): FridgeError {
  return new FridgeError('ERR_TLS', `${at} ${why}`, { fix })
}

/**
 * Whether the other end is a node of an authority that is trusted, for this host.
 * @throws FridgeError `ERR_TLS`
 */
function authenticate(
  socket: TLSSocket,
  trusted: readonly X509Certificate[],
  { address, question, clock }: EnrollOptions,
): void {
  const at = formatAddress(address)
  const [leaf, ...intermediates] = chainOfPeer(socket, trusted)
  const path =
    leaf === undefined
      ? { broken: 'it shows no certificate' }
      : pathOf(leaf, {
          intermediates,
          trusted,
          usages: usagesOf('node'),
          at: clock.now(),
        })
  if (leaf === undefined || 'broken' in path) {
    const why = 'broken' in path ? path.broken : 'it shows no certificate'
    throw refused(
      at,
      `is no node of that cluster: ${why}`,
      'chain' in question
        ? 'compare the clocks (date); while the authority is being replaced take ca/certificate.pem here, or ca/succession.json to that node'
        : 'compare the clocks (date), then the address',
    )
  }
  if (identityOf(leaf.raw).role !== 'node') {
    throw refused(at, 'is no node of that cluster', 'check the address')
  }
  const mismatch = checkServerIdentity(address.host, socket.getPeerCertificate())
  if (mismatch === undefined) return
  throw refused(
    at,
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
