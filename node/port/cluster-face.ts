import type { Credentials } from '../identity/credentials.ts'
import { tlsOptions } from '../identity/tls.ts'
import type { Face } from './listener.ts'

/** The port of clients, operators and nodes: both ends show a certificate of the cluster. */
export function clusterFace(trust: { readonly credentials: Credentials }): Face<Credentials> {
  return {
    get credentials() {
      return trust.credentials
    },
    tlsOf: credentials => ({
      ...tlsOptions(credentials),
      requestCert: true,
      rejectUnauthorized: true,
    }),
    flag: '--listen',
  }
}
