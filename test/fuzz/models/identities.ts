import { createHash, X509Certificate } from 'node:crypto'
import type { Identity } from '../../../node/identity/identity.ts'
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509Certificate as OtherCertificate,
} from '../../../node/identity/x509.ts'

/** An alternative name as `node:crypto` shows it: what is not plain stands in quotes, as in JSON. */
const SHOWN_NAME = /([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy

type Told = readonly [what: string, theirs: unknown, ours: unknown]

/**
 * What two other readers, that of OpenSSL and `@peculiar/x509`, say of a certificate against what was
 * read in it. What they cannot read at all they say nothing of.
 * @returns what differs
 */
export function contradictionOf(der: Buffer, identity: Identity): string | undefined {
  return (
    differenceIn('OpenSSL', saidByOpenSsl(der, identity)) ??
    differenceIn('@peculiar/x509', saidByOther(der, identity))
  )
}

function saidByOpenSsl(der: Buffer, identity: Identity): Told[] {
  const certificate = new X509Certificate(der)
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
  const { name, issuedBy } = identity
  return [
    ['the CN', commonNamesIn(certificate.subject), [name]],
    ['identities', claimsAmong(shownUris(certificate.subjectAltName ?? '')), claimsOf(identity)],
    ['the begin', certificate.validFromDate.getTime(), identity.notBefore],
    ['the end', certificate.validToDate.getTime(), identity.notAfter],
    ['an authority', certificate.ca, false],
    ['the key', createHash('sha256').update(spki).digest('hex'), identity.keyId],
    [
      'its issuer',
      issuedBy && commonNamesIn(certificate.issuer),
      issuedBy && [`clients of ${issuedBy}`],
    ],
  ]
}

function saidByOther(der: Buffer, identity: Identity): Told[] {
  const certificate = new OtherCertificate(der)
  const said: Told[] = [
    ['the CN', certificate.subjectName.getField('CN'), [identity.name]],
    ['the begin', certificate.notBefore.getTime(), identity.notBefore],
    ['the end', certificate.notAfter.getTime(), identity.notAfter],
  ]
  try {
    const names = certificate.getExtensions(SubjectAlternativeNameExtension)
    const uris = names.flatMap(({ names: { items } }) => items.filter(({ type }) => type === 'url'))
    const authorities = certificate.getExtensions(BasicConstraintsExtension).filter(({ ca }) => ca)
    const claims = claimsAmong(uris.map(({ value }) => value))
    said.push(['identities', claims, claimsOf(identity)], ['authorities', authorities.length, 0])
  } catch {
    // It reads all extensions or none, those too that say nothing of who somebody is.
  }
  return said
}

/** Of a name in lines, `CN=alpha`, in which OpenSSL joins attributes of one relative name by a plus. */
function commonNamesIn(shown: string | undefined): string[] {
  return (shown ?? '')
    .split(/\n|(?<!\\)\+/)
    .filter(line => line.trim().startsWith('CN='))
    .map(line => line.trim().slice('CN='.length))
}

/** All URIs, where one of them claims an identity. */
function claimsAmong(uris: readonly string[]): readonly string[] {
  return uris.some(uri => uri.toLowerCase().includes('spiffe:')) ? uris : []
}

function claimsOf({ role, name, trustDomain }: Identity): readonly string[] {
  return trustDomain === undefined ? [] : [`spiffe://${trustDomain}/${role}/${name}`]
}

function shownUris(alternativeNames: string): string[] {
  return [...alternativeNames.matchAll(SHOWN_NAME)].flatMap(([, form, text = '']) => {
    if (form !== 'URI') return []
    return [text.startsWith('"') ? (JSON.parse(text) as string) : text]
  })
}

function differenceIn(reader: string, said: readonly Told[]): string | undefined {
  const found = said.find(([, theirs, ours]) => JSON.stringify(theirs) !== JSON.stringify(ours))
  if (found === undefined) return undefined
  const [what, theirs, ours] = found
  return `${reader} says of ${what} ${JSON.stringify(theirs)}, and not ${JSON.stringify(ours)}`
}
