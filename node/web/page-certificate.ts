import { createPrivateKey, type X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { parseCertificates } from '../identity/certificate-chain.ts'
import { fieldsOf, SUBJECT_ALTERNATIVE_NAME } from '../identity/certificate-fields.ts'
import { renewFrom } from '../identity/certificate-lifetime.ts'
import { unreadable } from '../identity/credential-files.ts'
import type { WatchedKind } from '../identity/credential-watch.ts'
import { readElements, readOnly, TAG, type DerElement } from '../identity/der.ts'
import { certifiesHost } from '../identity/tls.ts'
import type { Credentials } from '../identity/credentials.ts'
import { FridgeError } from '../lib/errors.ts'
import { shellWord } from '../lib/shell-word.ts'

/** The tags of a host and of an address among alternative names, as DER has them. */
const DNS_NAME = 0x82
const IP_ADDRESS = 0x87

/** What browsers are shown. */
export interface PageCredentials {
  /** Private key, PEM. Never log it. */
  readonly key: string
  /** The certificate, then its intermediates, PEM. */
  readonly certificate: string
  readonly certificateFile: string
  readonly keyFile: string
}

/** Why browsers refuse a certificate, and what mends it. */
export interface BrowserProblem {
  readonly text: string
  readonly fix: string
}

/** Of the credentials of a node what its pages need. */
export function ofNode({ key, certificate, files }: Credentials): PageCredentials {
  const { certificateFile, keyFile } = files
  return { key, certificate, certificateFile, keyFile }
}

/**
 * Read `web.certificate` and `web.key`, and check that they fit together and are in date. Who signed
 * them is for browsers to judge: it is no authority of the cluster.
 * @throws FridgeError `ERR_KEY_FILE` or `ERR_CERTIFICATE`, each with what mends it
 */
export async function loadPageCredentials(
  { certificateFile, keyFile }: Pick<PageCredentials, 'certificateFile' | 'keyFile'>,
  now: number,
): Promise<PageCredentials> {
  const [certificate, key] = await Promise.all([
    read(certificateFile, 'web.certificate'),
    read(keyFile, 'web.key'),
  ])
  const [leaf] = parseCertificates(certificate, certificateFile)
  if (!fits(leaf, key, keyFile)) {
    throw new FridgeError(
      'ERR_CERTIFICATE',
      `${certificateFile}: the key in ${keyFile} is not the key of this certificate`,
      { fix: 'name the two files that were issued together as web.certificate and web.key' },
    )
  }
  if (now > leaf.validToDate.getTime()) {
    const when = leaf.validToDate.toISOString()
    throw new FridgeError('ERR_CERTIFICATE', `${certificateFile}: it expired on ${when}`, {
      fix: 'renew it where it was issued, and leave both files in place',
    })
  }
  return { key, certificate, certificateFile, keyFile }
}

/** How a watch over `web.certificate` looks at what it reads. */
export const PAGE_CREDENTIALS: WatchedKind<PageCredentials> = {
  pathsOf: ({ certificateFile, keyFile }) => [certificateFile, keyFile],
  isSame: (a, b) => a.key === b.key && a.certificate === b.certificate,
  fieldsOf: credentials => ({ page: true, until: leafOf(credentials).validToDate.toISOString() }),
  warningsOf: credentials => browserProblems(credentials).map(({ text }) => text),
  endingOf: (credentials, now) => {
    const { validFromDate, validToDate } = leafOf(credentials)
    const period = { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() }
    if (now < renewFrom(period)) return []
    const text = `the certificate of pages expires on ${validToDate.toISOString()}`
    return [{ text, fix: `replace ${shellWord(credentials.certificateFile)} and its key` }]
  },
}

/** Why browsers would not open a page behind this certificate, whoever signed it. */
export function browserProblems(credentials: PageCredentials): BrowserProblem[] {
  const { certificateFile } = credentials
  const type = leafOf(credentials).publicKey.asymmetricKeyType
  const problems: BrowserProblem[] = []
  if (type !== 'ec' && type !== 'rsa') {
    problems.push({
      text: `browsers refuse ${certificateFile}: its key is ${type}`,
      fix: 'name a certificate with an ECDSA or RSA key as web.certificate, and its key as web.key',
    })
  }
  if (hostsOf(credentials).length === 0) {
    problems.push({
      text: `browsers refuse ${certificateFile}: it names no host`,
      fix: 'issue it again with --host HOST, the name that people type',
    })
  }
  return problems
}

/** The hosts that a certificate is for, wildcards left out: no page has one as its origin. */
export function hostsOf(credentials: PageCredentials): string[] {
  const extension = fieldsOf(leafOf(credentials)).extensions.get(SUBJECT_ALTERNATIVE_NAME)
  if (extension === undefined) return []
  return readElements(readOnly(extension.value, TAG.sequence)).flatMap(hostIn)
}

/** The host that an alternative name of a certificate is (RFC 5280, section 4.2.1.6), if it is one. */
function hostIn({ tag, content }: DerElement): string[] {
  const bytes = Buffer.from(content)
  if (tag === DNS_NAME) {
    const name = bytes.toString('latin1')
    return name.includes('*') ? [] : [name]
  }
  if (tag !== IP_ADDRESS) return []
  if (bytes.length === 4) return [bytes.join('.')]
  if (bytes.length !== 16) return []
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(2 * group).toString(16))
  // A URL has it in its shortest form (RFC 5952).
  return [new URL(`https://[${groups.join(':')}]`).hostname.slice(1, -1)]
}

/**
 * The origins of a node's own page: the hosts of its certificate, at its port. A browser that shows
 * another one has been sent there by somebody else, whatever it says in `Host`.
 */
export function ownOrigins(credentials: PageCredentials, port: number): Set<string> {
  const urls = hostsOf(credentials).map(
    host => `https://${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
  )
  return new Set(urls.filter(url => URL.canParse(url)).map(url => new URL(url).origin))
}

/** Whether a certificate is for a host, as browsers judge it. */
export function isForHost(credentials: PageCredentials, host: string): boolean {
  return certifiesHost(leafOf(credentials), host)
}

function leafOf({ certificate, certificateFile }: PageCredentials): X509Certificate {
  const [leaf] = parseCertificates(certificate, certificateFile)
  return leaf
}

function fits(leaf: X509Certificate, key: string, file: string): boolean {
  try {
    return leaf.checkPrivateKey(createPrivateKey(key))
  } catch {
    // The cause of OpenSSL stays out: nothing that was near the key reaches a log.
    throw new FridgeError('ERR_KEY_FILE', `${file} is not a usable private key in PEM`, {
      fix: 'name the file that was made with the certificate as web.key, without a passphrase',
    })
  }
}

async function read(file: string, setting: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw unreadable(file, cause, setting)
  }
}
