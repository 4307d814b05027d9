import type { Credentials } from '../identity/credentials.ts'
import { ALPN, RELAY_ALPN, tlsOptions } from '../identity/tls.ts'
import type { Face } from './listener.ts'

/** The port of clients, operators and nodes: both ends show a certificate of the cluster. */
export function clusterFace(trust: { readonly credentials: Credentials }): Face<Credentials> {
  return {
    get credentials() {
      return trust.credentials
    },
    tlsOf: credentials => ({
      ...tlsOptions(credentials),
      ALPNProtocols: [ALPN, RELAY_ALPN],
      requestCert: true,
      rejectUnauthorized: true,
    }),
    flag: '--listen',
  }
}
