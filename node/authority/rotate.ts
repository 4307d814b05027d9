import type { X509Certificate } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  hangsBelow,
  isIssuedBy,
  isSelfSigned,
  parseCertificates,
} from '../identity/certificate-chain.ts'
import { pathOf } from '../identity/certificate-path.ts'
import { authorityFiles, credentialFiles, unreadable } from '../identity/credential-files.ts'
import { shellWord } from '../lib/shell-word.ts'
import { errorCode, FridgeError } from '../lib/errors.ts'
import { isName, ROLES, subjectOf, type Name, type Role } from '../identity/names.ts'
import { usagesOf } from '../identity/path-rules.ts'
import type { AskPassphrase } from '../identity/private-key.ts'
import { createAuthority, type Authority } from './authority.ts'
import { DEFAULT_TRUST_DOMAIN } from './issue.ts'
import type { KeyType } from './key-type.ts'
import { readAuthority, writePair, writePublicFile } from './key-store.ts'
import { readStatements, succession, textOfStatements, withdrawal } from './succession.ts'
import type { RandomBytes } from './validity.ts'

/** Who has a certificate in a folder. */
export interface Holder {
  readonly role: Role
  readonly name: Name
}

/** An authority in the making or on its way out, and those that are trusted beside it. */
export interface Rotation {
  /** What signs from now on. */
  readonly signing: X509Certificate
  /** What stands beside it in the bundle, or stood there until now. */
  readonly others: readonly X509Certificate[]
}

export interface BeginOptions {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly random: RandomBytes
  /** Days of validity. Default 3650. */
  readonly days?: number | undefined
  readonly keyType?: KeyType | undefined
  /** Where the present authority states none. */
  readonly trustDomain?: string | undefined
  /** Opens the key of the present authority where that is locked; the new one is locked alike. */
  readonly ask?: AskPassphrase | undefined
}

export interface FinishOptions {
  /** Whether those are left behind who would be locked out. Default false. */
  readonly force?: boolean
  readonly ask?: AskPassphrase
  /** The certificates of issuing keys, which would give clients what nobody takes. Default none. */
  readonly issuing?: readonly { readonly node: Name; readonly certificateFile: string }[]
}

/** How many of those who would be locked out an error names. */
const MAX_NAMED = 10

/**
 * Put a new authority in front of the bundle of a folder, and its key in place of the old one.
 * From here on both are trusted and the new one signs.
 * @throws FridgeError `ERR_USAGE` when a rotation is under way, `ERR_KEY_FILE`, `ERR_CERTIFICATE`
 */
export async function beginRotation(dir: string, options: BeginOptions): Promise<Rotation> {
  const { now, random, days, keyType } = options
  const files = authorityFiles(dir)
  const { signing, bundle, others, trustDomain, passphrase, privateKey } = await readBundle(
    dir,
    options.ask,
  )
  if (others.length > 0) {
    throw new FridgeError(
      'ERR_USAGE',
      `a rotation is under way: ${files.certificateFile} holds ${bundle.length} authorities`,
      { fix: `fridge certs rotate-ca finish --certs ${shellWord(dir)}` },
    )
  }
  const domain = trustDomain ?? options.trustDomain ?? DEFAULT_TRUST_DOMAIN
  const generation = bundle.length + (await formerAuthorities(dir)).length + 1
  const pair = await createAuthority({
    trustDomain: domain,
    // OpenSSL finds issuers by their names first, so each has its own.
    commonName: `${domain} CA ${generation}`,
    passphrase,
    now,
    random,
    ...(days === undefined ? {} : { days }),
    ...(keyType === undefined ? {} : { keyType }),
  })
  const [made] = parseCertificates(pair.certificate, files.certificateFile)
  // While the old key is here: nobody else can name the next authority to those who trust it. One
  // below another is nobody's to trust, and names none.
  if (isSelfSigned(signing)) {
    const said = succession({ privateKey, certificate: signing }, made, now)
    await writePublicFile(
      files.successionFile,
      textOfStatements([...(await readStatements(dir)), said]),
    )
  }
  // Should the power fail between the two files, the old key still finds its certificate behind.
  const certificate = textOf([made, ...bundle])
  await writePair(files, { key: pair.key, certificate }, { force: true })
  return { signing: made, others: [signing] }
}

/**
 * Take every authority but the one that signs out of the bundle of a folder. Those taken out are
 * kept in `ca/former.pem`: changes that were signed under them must hold on nodes that join later.
 * @throws FridgeError `ERR_USAGE` when no rotation is under way; `ERR_CERTIFICATE` when somebody
 *   in the folder would be locked out, or an issuing key be of no use, without `force`
 */
export async function finishRotation(
  dir: string,
  { force = false, ask, issuing = [] }: FinishOptions = {},
): Promise<Rotation> {
  const files = authorityFiles(dir)
  const { signing, bundle, others, privateKey } = await readBundle(dir, ask)
  if (others.length === 0) {
    throw new FridgeError('ERR_USAGE', 'no rotation is under way: there is one authority', {
      fix: `fridge certs rotate-ca begin --certs ${shellWord(dir)}`,
    })
  }
  const left = bundle.filter(one => !others.includes(one))
  const late = await issuersOutside(issuing, left)
  if (late.length > 0 && !force) {
    throw new FridgeError(
      'ERR_CERTIFICATE',
      `still of an authority that would go: ${late.map(name => `the issuing key of ${name}`).join(', ')}`,
      {
        fix: `fridge certs issuing-key ${late[0] ?? ''} --force --certs ${shellWord(dir)}, and copy it there; or leave it behind with --force`,
      },
    )
  }
  const stranded = await holdersOutside(dir, left)
  if (stranded.length > 0 && !force) {
    const named = stranded.slice(0, MAX_NAMED).map(({ role, name }) => subjectOf(role, name))
    const more = stranded.length - named.length
    throw new FridgeError(
      'ERR_CERTIFICATE',
      `still signed by an authority that would go: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
      {
        fix: `fridge certs renew --all --certs ${shellWord(dir)}, or leave them behind with --force`,
      },
    )
  }
  const former = await formerAuthorities(dir)
  const retired = others.filter(other => !former.some(one => one.raw.equals(other.raw)))
  // First what old changes are checked with: never is an authority in neither file.
  await writePublicFile(files.formerFile, textOf([...former, ...retired]))
  const ended = others.map(other => withdrawal({ privateKey, certificate: signing }, other))
  await writePublicFile(
    files.successionFile,
    textOfStatements([...(await readStatements(dir)), ...ended]),
  )
  await writePublicFile(files.certificateFile, textOf(left))
  return { signing, others }
}

/** All who have a certificate in a folder, by role and name. @throws FridgeError `ERR_KEY_FILE` */
export async function holdersIn(dir: string): Promise<Holder[]> {
  const holders: Holder[] = []
  for (const role of ROLES) {
    const folder = join(dir, `${role}s`)
    let names: string[] = []
    try {
      names = await readdir(folder)
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw unreadable(folder, error)
    }
    for (const name of names.filter(isName).sort()) holders.push({ role, name })
  }
  return holders
}

/** Every authority that a folder knows: those that are trusted, then the former ones. */
export async function knownAuthorities(
  dir: string,
  ask?: AskPassphrase,
): Promise<X509Certificate[]> {
  const { bundle } = await readBundle(dir, ask)
  return [...bundle, ...(await formerAuthorities(dir))]
}

async function readBundle(
  dir: string,
  ask: AskPassphrase | undefined,
): Promise<
  Rotation &
    Pick<Authority, 'privateKey' | 'trustDomain' | 'passphrase'> & {
      readonly bundle: readonly X509Certificate[]
    }
> {
  const { certificateFile } = authorityFiles(dir)
  const authority = await readAuthority(dir, ask)
  const { certificate: signing } = authority
  const bundle = parseCertificates(await readFile(certificateFile, 'utf8'), certificateFile)
  const own = chainIn(bundle, signing)
  const others = bundle.filter(one => !own.some(({ raw }) => raw.equals(one.raw)))
  return { ...authority, signing, others, bundle }
}

/** The authorities of a folder that are trusted no more: old changes are still checked with them. */
export async function formerAuthorities(dir: string): Promise<X509Certificate[]> {
  const { formerFile } = authorityFiles(dir)
  try {
    return parseCertificates(await readFile(formerFile, 'utf8'), formerFile)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

/** An authority and those above it. */
function chainIn(bundle: readonly X509Certificate[], from: X509Certificate): X509Certificate[] {
  const chain = [from]
  for (let at: X509Certificate | undefined = from; at !== undefined && !isSelfSigned(at);) {
    const below: X509Certificate = at
    at = bundle.find(one => !chain.includes(one) && isIssuedBy(below, one))
    if (at !== undefined) chain.push(at)
  }
  return chain
}

/** The nodes whose issuing keys hang below none of these authorities. */
async function issuersOutside(
  issuing: NonNullable<FinishOptions['issuing']>,
  left: readonly X509Certificate[],
): Promise<Name[]> {
  const outside: Name[] = []
  for (const { node, certificateFile } of issuing) {
    const chain = parseCertificates(await readFile(certificateFile, 'utf8'), certificateFile)
    if (!hangsBelow(chain, left)) outside.push(node)
  }
  return outside
}

/** Those in the folder whom none of these authorities vouches for. */
async function holdersOutside(dir: string, left: readonly X509Certificate[]): Promise<Holder[]> {
  const outside: Holder[] = []
  for (const holder of await holdersIn(dir)) {
    const { certificateFile } = credentialFiles(dir, holder.role, holder.name)
    let pem: string
    try {
      pem = await readFile(certificateFile, 'utf8')
    } catch (error) {
      if (errorCode(error) === 'ENOENT') continue
      throw error
    }
    const [leaf, ...intermediates] = parseCertificates(pem, certificateFile)
    const path = pathOf(leaf, { intermediates, trusted: left, usages: usagesOf(holder.role) })
    if ('broken' in path) outside.push(holder)
  }
  return outside
}

function textOf(certificates: readonly X509Certificate[]): string {
  return certificates.map(certificate => `${certificate.toString().trim()}\n`).join('')
}
