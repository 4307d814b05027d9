import type { X509Certificate } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { platform } from 'node:os'
import { join } from 'node:path'
import { oneLine, parseCertificates } from './certificate-chain.ts'
import { pathOf } from './certificate-path.ts'
import {
  authorityFiles,
  credentialFiles,
  unreadable,
  type CredentialFiles,
} from './credential-files.ts'
import { nearest } from '../lib/nearest.ts'
import { shellWord } from '../lib/shell-word.ts'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import { identityOf, type Identity } from './identity.ts'
import { isName, ROLES, type Name, type Role } from './names.ts'
import { usagesOf } from './path-rules.ts'
import { isLocked, openPrivateKey, pkcs8, type AskPassphrase } from './private-key.ts'

/** What one end of a connection presents and trusts, checked to fit together. */
export interface Credentials {
  /** Private key, PEM, opened where it was locked. Never log it, never write it. */
  readonly key: string
  /** The own certificate, then its intermediates, PEM. */
  readonly certificate: string
  /** Every authority that is trusted, PEM. */
  readonly ca: string
  /** Authorities that were trusted once, for signatures of old changes only, PEM; else empty. */
  readonly former: string
  readonly identity: Identity
  /** Sentences for a person; nothing here keeps the credentials from working. */
  readonly warnings: readonly string[]
  readonly files: CredentialFiles
}

/** All whose certificates may stand under changes: the authorities of now, then the former ones. */
export function signingAuthorities({
  ca,
  former,
  files,
}: Pick<Credentials, 'ca' | 'former' | 'files'>): X509Certificate[] {
  const now = parseCertificates(ca, files.caFile)
  return former === '' ? now : [...now, ...parseCertificates(former, files.formerFile ?? '')]
}

/** What may be asked of credentials beyond fitting together. */
export interface CredentialChecks {
  /** Refuse every other role. Default: any. */
  readonly role?: Role
  /** Milliseconds since 1970. Default: the wall clock. */
  readonly now?: number
  /** Opens a key that is locked. Default: such a key is refused, as a node has nobody to ask. */
  readonly ask?: AskPassphrase | undefined
}

/**
 * Load and check the credentials of `DIR/<role>s/NAME`.
 * @throws FridgeError `ERR_KEY_FILE` or `ERR_CERTIFICATE`, each with the command that mends it
 */
export async function loadCredentials(
  from: { readonly dir: string; readonly role: Role; readonly name: Name },
  { now, ask }: Pick<CredentialChecks, 'now' | 'ask'> = {},
): Promise<Credentials> {
  const { dir, role, name } = from
  await assertCertificateFolder(dir)
  const files = credentialFiles(dir, role, name)
  const [hasKey, hasCertificate] = await Promise.all([
    exists(files.keyFile),
    exists(files.certificateFile),
  ])
  if (!hasKey && !hasCertificate) {
    throw await nobodyOf(dir, role, name)
  }
  const again = await firstCommand(dir, role, name, ' --force')
  const credentials = await loadFiles(files, {
    role,
    // A key alone waits for what the authority makes of its request.
    reissue: hasCertificate || (await hasAuthorityKey(dir)) ? again : ACCEPT,
    renew: `fridge certs renew ${role} ${name} --certs ${shellWord(dir)}`,
    ask,
    ...(now === undefined ? {} : { now }),
  })
  if (credentials.identity.name === name) return credentials
  throw new FridgeError(
    'ERR_CERTIFICATE',
    `${files.certificateFile} belongs to ${credentials.identity.subject}, not to ${role}/${name}`,
    { fix: again },
  )
}

/** That nobody of a name is in a role, with who was likely meant: another one must not be made by mistake. */
async function nobodyOf(dir: string, role: Role, name: Name): Promise<FridgeError> {
  const there = (await namesIn(dir, role)).filter(one => one !== name)
  const roles = await Promise.all(
    ROLES.map(async one => {
      const { certificateFile } = credentialFiles(dir, one, name)
      return (await exists(certificateFile)) ? [one] : []
    }),
  )
  const [other] = roles.flat()
  const near = nearest(name, there)
  const text = `there is no ${role} ${name} in ${dir}`
  if (other !== undefined) {
    const [first] = there
    const fix =
      first === undefined
        ? await firstCommand(dir, role, 'NAME')
        : `name one: ${role === 'node' ? '--name' : '--as'} ${first}`
    return new FridgeError('ERR_KEY_FILE', `${text}: ${name} is ${article(other)}`, { fix })
  }
  const made = await firstCommand(dir, role, name)
  const fix = near === undefined ? made : `did you mean ${near}? If not: ${made}`
  return new FridgeError('ERR_KEY_FILE', text, { fix })
}

const COPY_AUTHORITY = 'copy it from where the certificate was issued'

const ACCEPT =
  'fridge certs accept FILE, which fridge certs sign writes where the key of the authority is'

/** The command by which somebody gets a certificate: on the machine of the authority, or elsewhere. */
async function firstCommand(dir: string, role: Role, name: string, force = ''): Promise<string> {
  const rest = `${role} ${name} --certs ${shellWord(dir)}${force}`
  return (await hasAuthorityKey(dir))
    ? `fridge certs issue ${rest}`
    : `fridge certs request ${rest}, then fridge certs sign where the key of the authority is`
}

async function hasAuthorityKey(dir: string): Promise<boolean> {
  return exists(authorityFiles(dir).keyFile)
}

/**
 * Load and check credentials from three files of any place.
 * @throws FridgeError `ERR_KEY_FILE` or `ERR_CERTIFICATE`, each with what mends it
 */
export async function loadCredentialFiles(
  files: CredentialFiles,
  checks: CredentialChecks = {},
): Promise<Credentials> {
  return loadFiles(files, {
    ...checks,
    reissue: 'issue the certificate again',
    renew: `fridge certs renew ${shellWord(files.certificateFile)}`,
  })
}

/**
 * The credentials that a person means: those of `name`, or the only ones of this role.
 * @throws FridgeError `ERR_USAGE` when there are several to choose from; otherwise as `loadCredentials`
 */
export async function findCredentials(
  from: { readonly dir: string; readonly role: Role; readonly name?: Name | undefined },
  checks: Pick<CredentialChecks, 'now' | 'ask'> = {},
): Promise<Credentials> {
  const { dir, role } = from
  if (from.name !== undefined) return loadCredentials({ dir, role, name: from.name }, checks)
  await assertCertificateFolder(dir)
  const names = await namesIn(dir, role)
  const [name, ...others] = names
  if (name === undefined) {
    throw new FridgeError('ERR_KEY_FILE', `there is no ${role} in ${dir}`, {
      fix: await firstCommand(dir, role, 'NAME'),
    })
  }
  if (others.length > 0) {
    throw new FridgeError('ERR_USAGE', `${dir} holds several ${role}s: ${names.join(', ')}`, {
      fix: `choose one: --as ${name}`,
    })
  }
  return loadCredentials({ dir, role, name }, checks)
}

async function assertCertificateFolder(dir: string): Promise<void> {
  const { certificateFile } = authorityFiles(dir)
  try {
    // ./certs of a checkout holds sources: only an authority makes it a certificate folder.
    await stat(certificateFile)
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw unreadable(certificateFile, cause)
    const missing = (await exists(dir))
      ? `${certificateFile} is missing`
      : 'there is no such folder'
    throw new FridgeError('ERR_KEY_FILE', `${dir} holds no certificates: ${missing}`, {
      cause,
      fix: await howToTrust(dir),
    })
  }
}

/** What brings the certificate of the authority into a folder: a new one only where nobody is in it. */
async function howToTrust(dir: string): Promise<string> {
  let hasKey = false
  for (const role of ROLES) {
    for (const name of await namesIn(dir, role)) {
      const { keyFile, certificateFile } = credentialFiles(dir, role, name)
      if (await exists(certificateFile)) return COPY_AUTHORITY
      hasKey ||= await exists(keyFile)
    }
  }
  if (hasKey) return ACCEPT
  return `fridge certs init --certs ${shellWord(dir)}, or name another folder with --certs`
}

/** The names in `DIR/<role>s`, sorted. */
async function namesIn(dir: string, role: Role): Promise<Name[]> {
  const folder = join(dir, `${role}s`)
  try {
    return (await readdir(folder)).filter(isName).sort()
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return []
    throw unreadable(folder, cause)
  }
}

async function loadFiles(
  files: CredentialFiles,
  checks: CredentialChecks & { readonly reissue: string; readonly renew: string },
): Promise<Credentials> {
  const { keyFile, certificateFile, caFile, formerFile } = files
  const { reissue, renew, now = Date.now() } = checks
  const [locked, certificate, ca, former] = await Promise.all([
    readText(keyFile, 'private key', reissue),
    readText(certificateFile, 'certificate', reissue),
    readText(caFile, 'bundle of authorities', COPY_AUTHORITY),
    formerFile === undefined ? undefined : readIfThere(formerFile),
  ])
  const privateKey = await openPrivateKey(locked, keyFile, checks.ask)
  const key = isLocked(locked) ? pkcs8(privateKey) : locked
  const [leaf, ...intermediates] = parseCertificates(certificate, certificateFile)
  const trusted = parseCertificates(ca, caFile)
  if (formerFile !== undefined && former !== undefined) parseCertificates(former, formerFile)
  const fail = (why: string, fix: string): FridgeError =>
    new FridgeError('ERR_CERTIFICATE', `${certificateFile}: ${why}`, { fix })

  if (!leaf.checkPrivateKey(privateKey)) {
    throw fail(`the key in ${keyFile} is not the key of this certificate`, reissue)
  }
  const identity = identityIn(leaf, certificateFile)
  if (checks.role !== undefined && identity.role !== checks.role) {
    throw fail(
      `it is the certificate of ${article(identity.role)}, and ${article(checks.role)}'s is needed`,
      `fridge certs issue ${checks.role} NAME`,
    )
  }
  const path = pathOf(leaf, { intermediates, trusted, usages: usagesOf(identity.role) })
  if ('broken' in path) {
    throw fail(`no authority in ${caFile} vouches for it: ${path.broken}`, reissue)
  }
  const outOfDate = whyOutOfDate(leaf, now)
  if (outOfDate !== undefined) throw fail(outOfDate, isEarly(leaf, now) ? SET_CLOCK : renew)
  for (const issuer of path.issuers) {
    const why = whyOutOfDate(issuer, now)
    if (why !== undefined) {
      throw fail(
        `its authority "${oneLine(issuer.subject)}": ${why}`,
        isEarly(issuer, now) ? SET_CLOCK : 'replace the authority: fridge certs rotate-ca begin',
      )
    }
  }
  const warnings = await warningsAbout(keyFile)
  return { key, certificate, ca, former: former ?? '', identity, warnings, files }
}

function identityIn(leaf: X509Certificate, file: string): Identity {
  try {
    return identityOf(leaf.raw)
  } catch (cause) {
    const fix = cause instanceof FridgeError && cause.fix !== undefined ? { fix: cause.fix } : {}
    throw new FridgeError('ERR_CERTIFICATE', `${file}: ${errorMessage(cause)}`, { cause, ...fix })
  }
}

/** Devices without a battery begin in 1970: another certificate would not help them. */
const SET_CLOCK = 'set the clock of this machine, and keep it so: timedatectl set-ntp true'

function isEarly(certificate: X509Certificate, now: number): boolean {
  return now < certificate.validFromDate.getTime()
}

function whyOutOfDate(certificate: X509Certificate, now: number): string | undefined {
  if (now > certificate.validToDate.getTime()) {
    return `it expired on ${certificate.validToDate.toISOString()}`
  }
  if (isEarly(certificate, now)) {
    const clock = new Date(now).toISOString()
    return `it is not valid before ${certificate.validFromDate.toISOString()}, and the clock here says ${clock}`
  }
  return undefined
}

async function warningsAbout(keyFile: string): Promise<string[]> {
  // Windows has no such bits: it reports every file as open to all.
  if (platform() === 'win32') return []
  const mode = (await stat(keyFile)).mode & 0o777
  if ((mode & 0o077) === 0) return []
  return [
    `${keyFile} is open to others (mode ${mode.toString(8)}); close it: chmod 600 ${shellWord(keyFile)}`,
  ]
}

async function readText(file: string, what: string, fix: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw unreadable(file, cause)
    throw new FridgeError('ERR_KEY_FILE', `the ${what} is missing: there is no ${file}`, {
      cause,
      fix,
    })
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw unreadable(file, cause)
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return false
    throw unreadable(file, cause)
  }
}

function article(role: Role): string {
  return role === 'operator' ? 'an operator' : `a ${role}`
}
