import { createPrivateKey, type X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { inspectCertificates } from '../../node/authority/inspect.ts'
import { assertReplaceable, writePair, writePublicFile } from '../../node/authority/key-store.ts'
import { createRequest, requestFor } from '../../node/authority/request.ts'
import { enroll, type Enrolled } from '../../node/enrolment/enroll.ts'
import { parseToken, pinOf } from '../../node/enrolment/token.ts'
import { isSelfSigned, oneLine, parseCertificates } from '../../node/identity/certificate-chain.ts'
import { pathOf } from '../../node/identity/certificate-path.ts'
import { credentialFiles } from '../../node/identity/credential-files.ts'
import { loadCredentials } from '../../node/identity/credentials.ts'
import { identityOf } from '../../node/identity/identity.ts'
import type { Name } from '../../node/identity/names.ts'
import { usagesOf } from '../../node/identity/path-rules.ts'
import { parseAddress } from '../../node/lib/address.ts'
import { errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { assertTrustable, textOf, trustAuthorities } from './certs-accept.ts'
import {
  certificateFolder,
  folderFlag,
  parseKeyType,
  readSmallFile,
  reportHeading,
  shownPath,
  type FolderOptions,
} from './certs-options.ts'

export interface CertsEnrollOptions extends FolderOptions {
  /** The enrolment port of a node, `HOST:PORT`. */
  readonly node?: string | undefined
  /** The token, or `-` for stdin. */
  readonly token?: string | undefined
  readonly tokenFile?: string | undefined
  readonly keyType?: string | undefined
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/**
 * Get a first certificate from a node, for a key that is made here.
 * @throws FridgeError `ERR_USAGE`, `ERR_FILE_EXISTS`, `ERR_TLS`, `ERR_REFUSED`, `ERR_UNREACHABLE`
 */
export async function runCertsEnroll(
  options: CertsEnrollOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const force = options.force === true
  const keyType = parseKeyType(options.keyType)
  const address = nodeOf(options.node)
  const { pin, secret, name } = parseToken(await tokenOf(options, io))
  const dir = certificateFolder(options, io)
  const files = credentialFiles(dir, 'client', name)
  // All that can be refused here is refused before the token is used up.
  await assertReplaceable(files, { force })
  await assertTrustable(files.caFile, one => pinOf(one) === pin, { force })
  const { key, request } = await createRequest({ role: 'client', name, hosts: [] }, keyType)
  const { clock, signal } = io
  const enrolled = await enroll({
    address,
    pin,
    question: { secret, request },
    clock,
    signal,
  })
  assertIssued(enrolled, key, name)
  await trustAuthorities(enrolled.trusted, files.caFile, { force })
  const certificate = textOf(enrolled.chain)
  await writePair(files, { key, certificate }, { force })
  return report(certificate, files.certificateFile, `client watch --as ${name}`, options, io)
}

/**
 * Get the next certificate of a client from a node while the present one holds, for the same key.
 * @throws FridgeError as above
 */
export async function runDeviceRenewal(
  name: Name,
  options: Pick<CertsEnrollOptions, 'node' | 'certs' | 'json'>,
  io: CommandIo,
): Promise<ExitStatus> {
  const { clock, signal } = io
  const from = { dir: certificateFolder(options, io), role: 'client', name } as const
  const { key, certificate: chain, ca, files } = await loadCredentials(from, { now: clock.now() })
  const privateKey = createPrivateKey(key)
  const [leaf] = parseCertificates(chain, files.certificateFile)
  const pair = { privateKey, publicKey: leaf.publicKey }
  const enrolled = await enroll({
    address: nodeOf(options.node),
    known: parseCertificates(ca, files.caFile).filter(isSelfSigned),
    question: { chain, request: await requestFor({ role: 'client', name, hosts: [] }, pair) },
    clock,
    signal,
  })
  assertIssued(enrolled, key, name)
  const bundle = bundleAfter(parseCertificates(ca, files.caFile), enrolled)
  const changes = trustChanges(parseCertificates(ca, files.caFile), bundle)
  if (changes.length > 0) await writePublicFile(files.caFile, textOf(bundle))
  const certificate = textOf(enrolled.chain)
  await writePublicFile(files.certificateFile, certificate)
  const known = new Set(bundle.map(pinOf))
  // Were a node believed in that, a stolen one could make its thief an authority here for good.
  const isUnknown = (one: X509Certificate): boolean =>
    !known.has(pinOf(one)) && !enrolled.withdrawn.some(({ raw }) => raw.equals(one.raw))
  if (enrolled.bundle.some(isUnknown)) {
    io.err(
      `fridge: the authority of this cluster is being replaced, and ${shownPath(files.caFile, io.cwd)} does not have the new one`,
    )
    io.err('  to mend it: take ca/certificate.pem here from the machine of the authority')
  }
  return report(
    certificate,
    files.certificateFile,
    `client watch --as ${name}`,
    options,
    io,
    changes,
  )
}

/** The bundle of a device that has heard its authorities out: successors in front, none that ended. */
function bundleAfter(
  before: readonly X509Certificate[],
  { trusted, withdrawn }: Enrolled,
): readonly X509Certificate[] {
  const isIn = (all: readonly X509Certificate[], { raw }: X509Certificate): boolean =>
    all.some(one => one.raw.equals(raw))
  return [
    ...trusted.filter(one => !isIn(before, one)),
    ...before.filter(one => !isIn(withdrawn, one)),
  ]
}

/** What changes between two bundles, as lines for a person. */
function trustChanges(
  before: readonly X509Certificate[],
  after: readonly X509Certificate[],
): string[] {
  const without = (all: readonly X509Certificate[], others: readonly X509Certificate[]): string[] =>
    all
      .filter(({ raw }) => !others.some(one => one.raw.equals(raw)))
      .map(({ subject }) => `"${oneLine(subject)}"`)
  return [
    ...without(after, before).map(name => `${name} is trusted now: the authority before names it`),
    ...without(before, after).map(name => `${name} is trusted no more: its successor ended it`),
  ]
}

/** A node is believed to be one of its cluster, and not to have understood what was asked for. */
function assertIssued({ chain, trusted }: Enrolled, key: string, name: Name): void {
  const [leaf, ...intermediates] = chain
  const path = pathOf(leaf, {
    intermediates,
    trusted,
    usages: usagesOf('client'),
  })
  const { subject } = identityOf(leaf.raw)
  const why =
    'broken' in path
      ? path.broken
      : !leaf.checkPrivateKey(createPrivateKey(key))
        ? 'it is for another key'
        : subject === `client/${name}`
          ? undefined
          : `it is for ${subject}`
  if (why === undefined) return
  throw new FridgeError('ERR_CERTIFICATE', `what the node has issued cannot be used: ${why}`, {
    fix: 'have its issuing key made anew, where the authority is: fridge certs issuing-key NODE --force',
  })
}

function nodeOf(node: string | undefined) {
  if (node !== undefined) return parseAddress(node)
  throw new FridgeError('ERR_USAGE', 'no node is named', {
    fix: 'say where it takes tokens: --node HOST:7445',
  })
}

/** Other users of a machine can read arguments: a file and stdin they cannot. */
async function tokenOf(
  { token, tokenFile }: CertsEnrollOptions,
  { cwd, readInput }: CommandIo,
): Promise<string> {
  if ((token === undefined) === (tokenFile === undefined)) {
    throw new FridgeError('ERR_USAGE', 'one token is needed: --token-file FILE, or --token -', {
      fix: 'an operator gets one from: fridge certs token client NAME --expires-in 1h',
    })
  }
  if (tokenFile !== undefined) {
    return readSmallFile(resolve(cwd, tokenFile), 'the token', 'name the file that holds it')
  }
  if (token !== '-') return token ?? ''
  try {
    return await readInput()
  } catch (cause) {
    throw new FridgeError('ERR_USAGE', `stdin cannot be read: ${errorMessage(cause)}`, { cause })
  }
}

function report(
  certificate: string,
  file: string,
  next: string,
  options: FolderOptions & { readonly json?: boolean | undefined },
  io: CommandIo,
  changes: readonly string[] = [],
): ExitStatus {
  const [shown] = inspectCertificates(certificate, file, io.clock.now())
  if (shown === undefined) return EXIT.notDone
  if (options.json === true) {
    const trust = changes.length > 0 && { trust: changes }
    io.out(JSON.stringify({ certificateFile: file, certificate: shown, ...trust }))
    return EXIT.done
  }
  io.out(reportHeading(shown))
  io.out(`  ${shownPath(file, io.cwd)}`)
  for (const line of changes) io.out(`  ${line}`)
  io.out(`Next: fridge ${next}${folderFlag(options)}`)
  return EXIT.done
}
