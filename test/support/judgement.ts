import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { TestFn } from 'ava'
import { pathOf } from '../../node/identity/certificate-path.ts'
import { ExtendedKeyUsage } from '../../node/identity/x509.ts'
import {
  alternativeNames,
  basicConstraints,
  DIGITAL_SIGNATURE,
  general,
  KEY_CERT_SIGN,
  keyUsage,
  makeAuthority,
  makeCertificate,
  pemOf,
  type Made,
  type Making,
} from './chains.ts'

/** Who shows what to whom. */
export interface Shown {
  readonly leaf: Made
  /** What the holder of the leaf sends along. */
  readonly between?: readonly Made[]
  /** Whom the other end trusts. */
  readonly trusted: readonly Made[]
  /** Whether the leaf is that of the end that dials, or of the end that is dialed. */
  readonly usage: 'clientAuth' | 'serverAuth'
}

/** What `pathOf` says now. @returns why it refuses; undefined where it does not */
export function ourJudgement({ leaf, between = [], trusted, usage }: Shown): string | undefined {
  const parse = ({ certificate }: Made): X509Certificate => new X509Certificate(certificate)
  const path = pathOf(parse(leaf), {
    intermediates: between.map(parse),
    trusted: trusted.map(parse),
    usages: [ExtendedKeyUsage[usage]],
    at: Date.now(),
  })
  return 'broken' in path ? path.broken : undefined
}

const anybody = makeCertificate({ subject: 'anybody' })

/**
 * What the OpenSSL of this Node.js says in a handshake over a pair of streams.
 * @returns why it refuses; undefined where it does not
 */
export async function tlsJudgement({
  leaf,
  between = [],
  trusted,
  usage,
}: Shown): Promise<string | undefined> {
  const key = (made: Made): string =>
    made.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const isClient = usage === 'clientAuth'
  // Whoever shows a weak certificate must be willing to.
  const shows = {
    key: key(leaf),
    cert: pemOf(leaf, ...between),
    ciphers: 'DEFAULT@SECLEVEL=0',
    ca: pemOf(anybody),
  }
  const judges = { key: key(anybody), cert: pemOf(anybody), ca: pemOf(...trusted) }
  const server = createServer({
    ...(isClient ? judges : shows),
    requestCert: true,
    rejectUnauthorized: false,
  })
  const [near, far] = duplexPair()
  const failed = once(server, 'tlsClientError').then(([error]) => Promise.reject(error as Error))
  failed.catch(() => {})
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  accepted.catch(() => {})
  server.emit('connection', far)
  const client = connect({
    ...(isClient ? shows : judges),
    socket: near,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  })
  const connected = once(client, 'secureConnect')
  connected.catch(() => {})
  try {
    const [[theirs]] = await Promise.race([Promise.all([accepted, connected]), failed])
    theirs.on('error', () => {})
    const judge = isClient ? theirs : client
    return judge.authorized ? undefined : String(judge.authorizationError)
  } catch (error) {
    return String(error)
  } finally {
    client.on('error', () => {})
    client.destroy()
    near.destroy()
    far.destroy()
    server.close()
  }
}

/** As a node or a client shows it; who dials, unless it is said otherwise. */
export type Chain = Omit<Shown, 'usage'> & Partial<Pick<Shown, 'usage'>>

export const root = makeAuthority('root')

/** The extensions that an authority should have. */
export const CA = [basicConstraints(true), keyUsage(KEY_CERT_SIGN)] as const

export const SPIFFE = general.uri('spiffe://shop.example/operator/admin')

/** A leaf with the extensions that one should have, or with others. */
export function leafOf(
  issuer: Made,
  { subject = 'admin', extensions, ...rest }: Partial<Making> = {},
): Made {
  const usual = [keyUsage(DIGITAL_SIGNATURE), alternativeNames(SPIFFE)]
  return makeCertificate({ subject, issuer, extensions: extensions ?? usual, ...rest })
}

/** A leaf directly below a root. */
export function under(authority: Made, leaf: Partial<Making> = {}): Chain {
  return { leaf: leafOf(authority, leaf), trusted: [authority] }
}

/** A leaf below an intermediate with these extensions, below the root. */
export function below(extensions: readonly Buffer[], leaf: Partial<Making> = {}): Chain {
  const issuer = makeAuthority('middle', { issuer: root, extensions: [...CA, ...extensions] })
  return { leaf: leafOf(issuer, leaf), between: [issuer], trusted: [root] }
}

/** Authorities below each other, each as it is said, the root first; then a leaf. */
export function tower(
  ...authorities: readonly (Partial<Making> & { readonly pathLength?: number })[]
): Chain {
  const made: Made[] = []
  for (const [index, { pathLength, ...making }] of authorities.entries()) {
    made.push(
      makeAuthority(making.subject ?? `authority ${index}`, {
        issuer: made.at(-1),
        extensions: [basicConstraints(true, pathLength), keyUsage(KEY_CERT_SIGN)],
        ...making,
      }),
    )
  }
  const [top = root, ...between] = made
  return { leaf: leafOf(made.at(-1) ?? root), between: between.reverse(), trusted: [top] }
}

/** Chains that are judged by us and by TLS. */
export interface Judgements {
  /** What both accept. */
  readonly kept: readonly (readonly [title: string, make: () => Chain])[]
  /** What both refuse. */
  readonly broken: readonly (readonly [title: string, make: () => Chain])[]
  /** What only we refuse, and why that is meant. There is nothing that only TLS refuses. */
  readonly stricter: readonly (readonly [title: string, because: string, make: () => Chain])[]
}

/** A test for each chain. */
export function testJudgements(test: TestFn, { kept, broken, stricter }: Judgements): void {
  const judge = async (make: () => Chain): Promise<[string | undefined, string | undefined]> => {
    const shown: Shown = { usage: 'clientAuth', ...make() }
    return [ourJudgement(shown), await tlsJudgement(shown)]
  }
  for (const [title, make] of kept) {
    test(`we and TLS accept ${title}`, async t => {
      t.deepEqual(await judge(make), [undefined, undefined])
    })
  }
  for (const [title, make] of broken) {
    test(`we and TLS refuse ${title}`, async t => {
      const [ours, tls] = await judge(make)
      t.truthy(tls, 'TLS refuses it')
      t.truthy(ours, `TLS refuses it: ${tls}`)
    })
  }
  for (const [title, because, make] of stricter) {
    test(`only we refuse ${title}: ${because}`, async t => {
      const [ours, tls] = await judge(make)
      t.truthy(ours)
      t.is(tls, undefined)
    })
  }
}
