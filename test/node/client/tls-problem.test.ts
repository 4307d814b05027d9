import test from 'ava'
import { explainConnectionError } from '../../../node/client/tls-problem.ts'
import { FridgeError, type ErrorCode } from '../../../node/lib/errors.ts'

const attempt = {
  address: 'fridge.example:7443',
  host: 'fridge.example',
  caFile: 'certs/ca/certificate.pem',
  certificateFile: 'certs/clients/c1/certificate.pem',
}

const CASES: [cause: string, code: ErrorCode, says: RegExp][] = [
  ['SELF_SIGNED_CERT_IN_CHAIN', 'ERR_TLS', /not of the authority in certs\/ca\/certificate\.pem/],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS', /not of the authority/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_TLS', /is not for the host fridge\.example/],
  ['INVALID_PURPOSE', 'ERR_TLS', /is not that of a node/],
  ['CERT_HAS_EXPIRED', 'ERR_TLS', /certificate of fridge\.example:7443 has expired/],
  ['CERT_NOT_YET_VALID', 'ERR_TLS', /is not valid yet/],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_TLS', /no TLS connection/],
  ['EPROTO', 'ERR_TLS', /no TLS connection/],
  ['ECONNREFUSED', 'ERR_UNREACHABLE', /nothing listens on fridge\.example:7443/],
  ['ENOTFOUND', 'ERR_UNREACHABLE', /the host fridge\.example is not known/],
  ['EAI_AGAIN', 'ERR_UNREACHABLE', /is not known/],
  ['ETIMEDOUT', 'ERR_UNREACHABLE', /does not answer/],
  ['EHOSTUNREACH', 'ERR_UNREACHABLE', /does not answer/],
  ['ECONNRESET', 'ERR_UNREACHABLE', /closed the connection/],
  [
    'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED',
    'ERR_REFUSED',
    /clients\/c1\/certificate\.pem: it has/,
  ],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'ERR_REFUSED', /not of that cluster's authority/],
]

for (const [cause, code, says] of CASES) {
  test(`${cause} is told as ${code}, with what mends it`, t => {
    const original = Object.assign(new Error('words of the runtime'), { code: cause })
    const error = explainConnectionError(original, attempt)
    t.is(error.code, code)
    t.regex(error.message, says)
    t.truthy(error.fix)
    t.is(error.cause, original)
  })
}

test('an error that is none of these keeps its own words', t => {
  const error = explainConnectionError(new Error('the cable is cut'), attempt)
  t.is(error.code, 'ERR_UNREACHABLE')
  t.is(error.message, 'fridge.example:7443: the cable is cut')
})

test('an error that says it already is left alone', t => {
  const known = new FridgeError('ERR_REVOKED', 'out')
  t.is(explainConnectionError(known, attempt), known)
})
