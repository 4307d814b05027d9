import { randomBytes, type X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openAuthority, type Authority } from '../authority/authority.ts'
import { signCertificate } from '../authority/issue.ts'
import { readRequest, type CheckedRequest } from '../authority/request.ts'
import { readStatements } from '../authority/succession.ts'
import { hangsBelow, oneLine, parseCertificates } from '../identity/certificate-chain.ts'
import { pathOf } from '../identity/certificate-path.ts'
import type { Credentials } from '../identity/credentials.ts'
import { identityOf, type Identity } from '../identity/identity.ts'
import type { Name } from '../identity/names.ts'
import { usagesOf } from '../identity/path-rules.ts'
import type { Clock } from '../lib/clock.ts'
import { errorCode, FridgeError } from '../lib/errors.ts'
import type { Tokens } from '../operators/tokens.ts'
import type { Greeting, Question } from './messages.ts'

export interface DeskOptions {
  /** The node that issues. */
  readonly node: Name
  /** The certificate folder, in which the issuing key lies. */
  readonly certs: string
  readonly trust: { readonly credentials: Credentials }
  readonly tokens: Tokens
  /** Whether the holder of a certificate is let in now. */
  readonly admits: (holder: Identity) => boolean
  /** Whether the node itself may not act for its cluster any more. */
  readonly isOut: () => boolean
  readonly clock: Pick<Clock, 'now'>
}

/** Days of validity of what is issued, and never longer than the issuing key. */
const CLIENT_DAYS = 30

/** Where the issuing key of a node lies, with its certificate. */
export function issuingFiles(
  certs: string,
  node: Name,
): { readonly keyFile: string; readonly certificateFile: string } {
  const folder = join(certs, 'nodes', node)
  return {
    keyFile: join(folder, 'issuing-key.pem'),
    certificateFile: join(folder, 'issuing-certificate.pem'),
  }
}

/** That what an issuing key signs is of no use to anybody; undefined while it is. */
function whyUseless(
  issuing: Authority,
  node: Name,
  trusted: readonly X509Certificate[],
  now: number,
): FridgeError | undefined {
  const { validToDate, issuer } = issuing.certificate
  const why =
    now >= validToDate.getTime()
      ? `ended on ${validToDate.toISOString()}`
      : hangsBelow(chainOf(issuing), trusted)
        ? undefined
        : `is of "${oneLine(issuer)}", which is trusted no more`
  if (why === undefined) return undefined
  return new FridgeError('ERR_KEY_FILE', `the issuing key of ${node} ${why}`, {
    fix: `where the authority is: fridge certs issuing-key ${node} --force, and copy it here`,
  })
}

/** An issuing key's certificate, then those between it and the root. */
function chainOf({ certificate, intermediates }: Authority): readonly X509Certificate[] {
  return intermediates.length > 0 ? intermediates : [certificate]
}

/** Decides who gets a certificate from this node, and signs it. */
export class Desk {
  readonly #options: DeskOptions

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** The issuing key as it is on disk now. @throws FridgeError `ERR_KEY_FILE` */
  async issuer(): Promise<Authority> {
    const { certs, node } = this.#options
    const { keyFile, certificateFile } = issuingFiles(certs, node)
    try {
      const [key, certificate] = await Promise.all([
        readFile(keyFile, 'utf8'),
        readFile(certificateFile, 'utf8'),
      ])
      return openAuthority({ key, certificate }, certificateFile)
    } catch (cause) {
      // Whoever asks without a certificate is told what is wrong with its own, and of no file here.
      if (cause instanceof FridgeError) {
        const { message, fix } = cause
        throw new FridgeError('ERR_KEY_FILE', message, { cause, ...(fix !== undefined && { fix }) })
      }
      if (errorCode(cause) !== 'ENOENT') throw cause
      throw new FridgeError('ERR_KEY_FILE', `${node} has no issuing key: there is no ${keyFile}`, {
        cause,
        fix: `where the authority is: fridge certs issuing-key ${node}; or leave enrolment.listen out`,
      })
    }
  }

  /** Why what the issuing key signs is of no use to anybody now; undefined while it is. */
  whyUseless(issuer: Authority): FridgeError | undefined {
    const { node, clock } = this.#options
    return whyUseless(issuer, node, this.#trusted, clock.now())
  }

  /** What whoever connects hears first. */
  async greeting(): Promise<Greeting> {
    const { certs, trust } = this.#options
    const issuer = await this.issuer().catch(() => undefined)
    const authorities = trust.credentials.ca
    const shown = issuer && chainOf(issuer).map(String).join('')
    const succession = await readStatements(certs).catch(() => [])
    return { authorities, ...(shown !== undefined && { issuer: shown }), succession }
  }

  /**
   * @returns the certificate and its intermediates, PEM
   * @throws FridgeError why nothing is issued: `ERR_REFUSED`, `ERR_CERTIFICATE`, `ERR_KEY_FILE`
   */
  async answer(question: Question): Promise<string> {
    const { isOut, tokens, clock } = this.#options
    if (isOut()) throw new FridgeError('ERR_REFUSED', 'this node was removed: it issues nothing')
    const request = await readRequest(question.request, 'what was sent')
    // A token is used up by what comes of it, not by what a mistake keeps from coming.
    const authority = await this.issuer()
    const useless = this.whyUseless(authority)
    if (useless !== undefined) throw useless
    const name =
      'secret' in question ? tokens.take(question.secret) : this.#renewable(question.chain, request)
    if (name === undefined) {
      throw new FridgeError(
        'ERR_REFUSED',
        'this token is not one of this node, was used already, or has ended',
        { fix: 'get another one from an operator: fridge certs token client NAME --expires-in 1h' },
      )
    }
    return signCertificate({
      authority,
      role: 'client',
      name,
      hasUri: false,
      publicKey: request.publicKey,
      days: CLIENT_DAYS,
      now: clock.now(),
      random: randomBytes,
    })
  }

  get #trusted(): readonly X509Certificate[] {
    const { ca, files } = this.#options.trust.credentials
    return parseCertificates(ca, files.caFile)
  }

  /** Whose certificate holds still and may be followed by another, for the same key. */
  #renewable(chain: string, { publicKey }: CheckedRequest): Name {
    const { admits, clock } = this.#options
    const [leaf, ...intermediates] = parseCertificates(chain, 'what was sent')
    const identity = identityOf(leaf.raw)
    const path = pathOf(leaf, {
      intermediates,
      trusted: this.#trusted,
      usages: usagesOf('client'),
      at: clock.now(),
    })
    const why =
      identity.role !== 'client'
        ? `it is that of ${identity.subject}, and clients alone are renewed here`
        : 'broken' in path
          ? path.broken
          : !leaf.publicKey.equals(publicKey)
            ? 'it is of another key'
            : undefined
    if (why === undefined && admits(identity)) return identity.name
    if (why === undefined) {
      throw new FridgeError('ERR_REFUSED', `${identity.name} is not let in: nothing is renewed`, {
        fix: `an operator can let it in: fridge whitelist add ${identity.name}`,
      })
    }
    throw new FridgeError('ERR_REFUSED', `this certificate is not renewed: ${why}`, {
      fix: `get another one by a token: fridge certs token client ${identity.name}, and here fridge certs enroll --force`,
    })
  }
}
