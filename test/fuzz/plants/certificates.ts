import { inFile, type Plant } from './plant.ts'

/** In who a certificate is said to be of. */
export const CERTIFICATE_PLANTS: readonly Plant[] = [
  ...inFile('certificates', 'identity/identity.ts', [
    {
      name: 'a role in pieces is none',
      find: 'if (!isKnown || subjectAltName',
      put: 'if (subjectAltName',
    },
    {
      name: 'names that OpenSSL cannot read are read',
      find: ' || subjectAltName === undefined) throw',
      put: ') throw',
    },
    {
      name: 'other bytes around a certificate',
      find: 'if (!certificate.raw.equals(der))',
      put: 'if (certificate.raw.length === 0)',
    },
    {
      name: 'authorities are somebody',
      find: '  if (isAuthority) {',
      put: '  if (isAuthority && fingerprint.length === 0) {',
    },
    {
      name: 'of two CNs the first one counts',
      find: '  if (commonNames.length > 1)\n',
      put: '  if (commonNames.length > 64)\n',
    },
    {
      name: 'the CN need not be the name',
      find: '  if (commonName !== name) {',
      put: '  if (commonName.length === 0) {',
    },
  ]),
  ...inFile('certificates', 'identity/der.ts', [
    {
      name: 'all years are of this century',
      find: "Number(text.slice(0, 2)) < 50 ? '20' : '19'",
      put: "Number(text.slice(0, 2)) < 99 ? '20' : '19'",
    },
    {
      name: 'days that their month does not have',
      find: '!Number.isNaN(time) && new Date(time).getUTCDate() === Number(day)',
      put: '!Number.isNaN(time) && day !== undefined',
    },
  ]),
]
