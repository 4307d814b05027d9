import type { KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isSelfSigned } from '../identity/certificate-chain.ts'
import { authorityFiles } from '../identity/credential-files.ts'
import { isSignature, signatureHolds, signText } from '../identity/signature.ts'
import { errorCode } from '../lib/errors.ts'
import { DAY_MS } from './validity.ts'

/**
 * What an authority says, by its own signature, of the one that takes its place (PROTOCOL.md,
 * "Succession"). Any node may pass it on: none can make one.
 */
export interface Statement {
  readonly text: string
  /** base64url. */
  readonly signature: string
}

/** What a statement says. Authorities are named by the SHA-256 of their certificates, in hexadecimal. */
type Said =
  /** The authority says whom to trust beside it, to whoever hears it in time. */
  | {
      readonly kind: 'succession'
      readonly authority: string
      readonly successor: string
      /** Milliseconds since 1970. */
      readonly until: number
    }
  /** The successor says that the authority is to be trusted no more. */
  | { readonly kind: 'withdrawal'; readonly authority: string; readonly successor: string }

/** Whom somebody trusts who believes statements, and nothing else. */
export interface Succession {
  /** Those that were known, and their successors. */
  readonly trusted: readonly X509Certificate[]
  /** Of those that were known or followed, the ones that are to be trusted no more. */
  readonly withdrawn: readonly X509Certificate[]
}

/** What signs a statement. */
export interface Speaker {
  readonly privateKey: KeyObject
  readonly certificate: X509Certificate
}

/** How long a succession is believed: certificates that devices renew by themselves hold for 30 days. */
const SUCCESSION_MS = 90 * DAY_MS

/** How many statements are kept and believed: four rotations. */
export const MAX_STATEMENTS = 8

const MAX_TEXT = 512
const FINGERPRINT = /^[0-9a-f]{64}$/

/** An authority names the one that is trusted beside it from now on. @param now milliseconds since 1970 */
export function succession(authority: Speaker, successor: X509Certificate, now: number): Statement {
  return sign(authority, {
    kind: 'succession',
    authority: fingerprintOf(authority.certificate),
    successor: fingerprintOf(successor),
    until: now + SUCCESSION_MS,
  })
}

/** An authority ends one that has named it. */
export function withdrawal(successor: Speaker, authority: X509Certificate): Statement {
  return sign(successor, {
    kind: 'withdrawal',
    authority: fingerprintOf(authority),
    successor: fingerprintOf(successor.certificate),
  })
}

/**
 * Follow statements, in their order, from the authorities that are known. One that is not signed by
 * an authority which was known or followed by then says nothing.
 * @param offered certificates that somebody shows: none is trusted for that
 * @param now milliseconds since 1970
 */
export function follow(
  known: readonly X509Certificate[],
  offered: readonly X509Certificate[],
  statements: readonly Statement[],
  now: number,
): Succession {
  const byPrint = (all: readonly X509Certificate[]) =>
    new Map(all.filter(isSelfSigned).map(one => [fingerprintOf(one), one]))
  const [trusted, shown] = [byPrint(known), byPrint(offered)]
  const withdrawn: X509Certificate[] = []
  /** Which authority has named which, in time or not. */
  const named = new Set<string>()
  for (const statement of statements) {
    const said = read(statement)
    if (said === undefined) continue
    const pair = `${said.authority} ${said.successor}`
    const authority = trusted.get(said.authority)
    if (said.kind === 'succession') {
      if (authority === undefined || !isBy(authority, statement)) continue
      named.add(pair)
      const successor = shown.get(said.successor)
      const isOver = now >= said.until || !holdsAt(authority, now)
      if (isOver || successor === undefined || !holdsAt(successor, now)) continue
      trusted.set(said.successor, successor)
      continue
    }
    const successor = trusted.get(said.successor)
    // Else a thief of the old key could end the authority that takes its place.
    if (!named.has(pair) || authority === undefined || authority === successor) continue
    if (successor === undefined || !holdsAt(successor, now) || !isBy(successor, statement)) continue
    trusted.delete(said.authority)
    withdrawn.push(authority)
  }
  return { trusted: [...trusted.values()], withdrawn }
}

/** Statements out of JSON that anybody may have written. @returns the newest, of what has their form */
export function parseStatements(value: unknown): Statement[] {
  if (!Array.isArray(value)) return []
  return (value as unknown[]).slice(-MAX_STATEMENTS).flatMap(one => {
    if (typeof one !== 'object' || one === null) return []
    const { text, signature } = one as Readonly<Record<string, unknown>>
    if (typeof text !== 'string' || text.length > MAX_TEXT || !isSignature(signature)) return []
    return [{ text, signature }]
  })
}

/** The statements of a certificate folder, oldest first; none where it has no file of them. */
export async function readStatements(dir: string): Promise<Statement[]> {
  try {
    return parseStatements(JSON.parse(await readFile(authorityFiles(dir).successionFile, 'utf8')))
  } catch (error) {
    // Without them a device is told to take the bundle by hand, as before.
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return []
    throw error
  }
}

/** How statements stand in their file. */
export function textOfStatements(statements: readonly Statement[]): string {
  return `${JSON.stringify(statements.slice(-MAX_STATEMENTS), null, 2)}\n`
}

function sign({ privateKey }: Speaker, said: Said): Statement {
  const text = JSON.stringify(said)
  return { text, signature: signText(privateKey, 'succession', text) }
}

function isBy({ publicKey }: X509Certificate, { text, signature }: Statement): boolean {
  return signatureHolds(publicKey, 'succession', text, signature)
}

function read({ text }: Statement): Said | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, authority, successor, until } = value as Readonly<Record<string, unknown>>
  if (!isFingerprint(authority) || !isFingerprint(successor)) return undefined
  if (kind === 'withdrawal') return { kind, authority, successor }
  if (kind !== 'succession' || typeof until !== 'number') return undefined
  return { kind, authority, successor, until }
}

function isFingerprint(value: unknown): value is string {
  return typeof value === 'string' && FINGERPRINT.test(value)
}

function holdsAt({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return now >= validFromDate.getTime() && now < validToDate.getTime()
}

function fingerprintOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}
