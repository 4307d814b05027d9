import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import { foreignText } from '../lib/foreign-text.ts'

/** What a failed connection was about, for the words of its error. */
export interface Attempt {
  /** `HOST:PORT`. */
  readonly address: string
  readonly host: string
  /** The bundle of authorities that was used. */
  readonly caFile: string
  /** The own certificate. */
  readonly certificateFile: string
}

const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
])

/** Turn what a TLS connection failed with into what failed, why, and what mends it. */
export function explainConnectionError(error: unknown, attempt: Attempt): FridgeError {
  if (error instanceof FridgeError) return error
  const { address, host, caFile } = attempt
  const code = errorCode(error) ?? ''
  if (UNTRUSTED.has(code)) {
    return new FridgeError(
      'ERR_TLS',
      `${address} shows a certificate that is not of the authority in ${caFile}`,
      { cause: error, fix: 'give the certificate folder of that cluster with --certs DIR' },
    )
  }
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return new FridgeError(
        'ERR_TLS',
        `the certificate of ${address} is not for the host ${host}`,
        {
          cause: error,
          fix: `use a name that it was issued for, or issue it again: fridge certs issue node NAME --host ${host} --force`,
        },
      )
    case 'INVALID_PURPOSE':
      return new FridgeError('ERR_TLS', `the certificate of ${address} is not that of a node`, {
        cause: error,
        fix: 'check that a fridge node listens on that port',
      })
    case 'CERT_HAS_EXPIRED':
      return new FridgeError('ERR_TLS', `the certificate of ${address} has expired`, {
        cause: error,
        fix: 'renew it: fridge certs renew node NAME; the node takes it up by itself',
      })
    case 'CERT_NOT_YET_VALID':
      return new FridgeError('ERR_TLS', `the certificate of ${address} is not valid yet`, {
        cause: error,
        fix: 'compare the clocks of this machine and of that node (date)',
      })
    case 'ECONNREFUSED':
      return unreachable(
        `nothing listens on ${address}`,
        error,
        'start a node there: fridge node start --name NAME',
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return unreachable(`the host ${host} is not known`, error, 'check its name: --node HOST:PORT')
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return unreachable(
        `${address} does not answer`,
        error,
        'check its address, and the network between',
      )
    case 'ECONNRESET':
    case 'EPIPE':
      return unreachable(
        `${address} closed the connection`,
        error,
        'look into the log of that node',
      )
  }
  const refusal = explainAlert(code, error, attempt)
  if (refusal !== undefined) return refusal
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') {
    return new FridgeError(
      'ERR_TLS',
      `no TLS connection to ${address}: ${foreignText(errorMessage(error))}`,
      {
        cause: error,
        fix: 'check that a fridge node listens on that port',
      },
    )
  }
  return unreachable(`${address}: ${foreignText(errorMessage(error))}`, error)
}

/** What a node says in a TLS alert of the certificate that it was shown. @returns undefined when it says nothing of it */
function explainAlert(
  code: string,
  error: unknown,
  { address, certificateFile }: Attempt,
): FridgeError | undefined {
  if (code.includes('ALERT_CERTIFICATE_EXPIRED')) {
    return new FridgeError('ERR_REFUSED', `${address} refuses ${certificateFile}: it has expired`, {
      cause: error,
      fix: 'renew it: fridge certs renew ROLE NAME',
    })
  }
  if (
    code.includes('ALERT_UNKNOWN_CA') ||
    code.includes('ALERT_BAD_CERTIFICATE') ||
    code.includes('ALERT_DECRYPT_ERROR')
  ) {
    return new FridgeError(
      'ERR_REFUSED',
      `${address} refuses ${certificateFile}: it is not of that cluster's authority`,
      { cause: error, fix: 'give the certificate folder of that cluster with --certs DIR' },
    )
  }
  return undefined
}

/** A node that refuses a certificate says so as soon as it has it, in ms: this long no line takes. */
const HEARD_MS = 3_000

/**
 * What it means that a connection was closed after the handshake and before any word: with TLS 1.3
 * a node judges the certificate when the other end believes that it is connected already.
 * @param lastedMs how long it had been open: a node hangs up late on whom it has not heard out
 */
export function explainSilentClose(
  { address, certificateFile }: Attempt,
  lastedMs: number,
): FridgeError {
  if (lastedMs >= HEARD_MS) {
    return new FridgeError(
      'ERR_TIMEOUT',
      `${address} hung up after ${Math.round(lastedMs / 1_000)} s without a word, as on somebody who says nothing: what is sent there is lost on the way`,
      { fix: `see whether large packets are lost: fridge doctor --node ${address}` },
    )
  }
  return new FridgeError(
    'ERR_REFUSED',
    `${address} closed the connection without a word: it does not accept ${certificateFile}`,
    { fix: 'look into the log of that node for what it holds against that certificate' },
  )
}

/**
 * What it means that a node has not let anybody in for too long.
 * @param isTaken whether it took the connection
 */
export function explainSilence(
  { address }: Pick<Attempt, 'address'>,
  { timeoutMs, isTaken }: { readonly timeoutMs: number; readonly isTaken: boolean },
): FridgeError {
  return isTaken
    ? new FridgeError(
        'ERR_TIMEOUT',
        `${address} took the connection, and said too little within ${timeoutMs} ms`,
        { fix: `see whether it hangs, or large packets are lost: fridge doctor --node ${address}` },
      )
    : new FridgeError('ERR_TIMEOUT', `no answer from ${address} within ${timeoutMs} ms`, {
        fix: 'check its address, and the network between',
      })
}

function unreachable(message: string, cause: unknown, fix?: string): FridgeError {
  return new FridgeError('ERR_UNREACHABLE', message, {
    cause,
    ...(fix === undefined ? {} : { fix }),
  })
}
