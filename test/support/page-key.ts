import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto'
import { parseName, type KeyId, type Name, type Source } from '../../node/identity/names.ts'
import { signInText, type SignInText } from '../../node/sessions/sign-in.ts'
import type { Cluster } from './cluster.ts'
import type { Page } from './pages.ts'

/** The key of a browser. */
export interface BrowserKey {
  readonly privateKey: KeyObject
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer
  readonly id: KeyId
}

export function makeBrowserKey(namedCurve = 'P-256'): BrowserKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return { privateKey, spki, id: hash('sha256', spki) as KeyId }
}

/** What a browser sends that signs this. */
export function signedIn(
  { privateKey, spki }: BrowserKey,
  text: SignInText,
): Record<'name' | 'at' | 'key' | 'signature', string> {
  const signature = sign('sha256', Buffer.from(signInText(text)), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  return {
    name: text.name,
    at: text.at,
    key: spki.toString('base64url'),
    signature: signature.toString('base64url'),
  }
}

/** What a node answers a page. */
export interface Answer {
  readonly value?: unknown
  readonly error?: { readonly code: string; readonly message: string }
}

export interface SigningIn {
  readonly cluster: Cluster
  readonly index: number
  readonly origin: string
  readonly name: string
  readonly key: BrowserKey
  /** Instead of what the page knows. */
  readonly over?: Partial<SignInText>
}

/** What a page signs that has joined. */
export async function textFor(page: Page, of: SigningIn): Promise<SignInText> {
  const [, hello] = await page.find(([event]) => event === 'hello')
  const { node, run } = hello as { node: Name; run: Source }
  const at = new URL(of.cluster.node(of.index).page ?? '').origin
  const { value: nonce } = (await page.socket.emitWithAck('nonce')) as { value: string }
  const name = parseName(of.name)
  return { node, run, at, origin: of.origin, name, key: of.key.id, nonce, ...of.over }
}

/** Sign in on a page as a browser does. */
export async function signIn(page: Page, of: SigningIn): Promise<Answer> {
  const text = await textFor(page, of)
  return (await page.socket.emitWithAck('sign-in', signedIn(of.key, text))) as Answer
}
