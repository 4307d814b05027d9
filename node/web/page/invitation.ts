import { signal } from '@preact/signals'
import { fromBase64, toBase64url } from './base64.ts'
import { ask, enter, ownKey, standing } from './connection.ts'

/** What stands before what is hashed and before what is proven (PROTOCOL.md, "Invitations"). */
const ID_LABEL = 'fridge invitation id 1\n'
const PROOF_LABEL = 'fridge invitation 1\n'
const ID_BYTES = 16

const LINK = /^#invite=([A-Za-z0-9_-]{22})\.([A-Za-z0-9._-]{1,64})$/

/** An invitation that this page was opened with. */
interface Invitation {
  readonly secret: Uint8Array<ArrayBuffer>
  readonly name: string
}

/** How far the page has come with its invitation, in words; empty where it has none. */
export const invitationState = signal('')

let invitation = take()

/** Take the secret out of the address: neither the history of the browser nor a bookmark keeps it. */
function take(): Invitation | undefined {
  const [, secret, name] = LINK.exec(location.hash) ?? []
  if (location.hash.startsWith('#invite=')) history.replaceState(null, '', location.pathname)
  if (secret === undefined || name === undefined) return undefined
  invitationState.value = 'You are invited: waiting for the node…'
  return { secret: fromBase64(secret), name }
}

/** Show the operator that this browser was invited, once there is a node to say it to. */
export async function follow(): Promise<void> {
  if (invitation === undefined) return
  const { secret, name } = invitation
  invitation = undefined
  invitationState.value = `Asking to be let in as ${name}…`
  try {
    const { id: key } = await ownKey()
    const text = PROOF_LABEL + JSON.stringify({ origin: location.origin, name, key })
    const proof = await prove(secret, text)
    await ask('invited', { id: await idOf(secret), key, proof })
    invitationState.value = ''
    await enter(name)
  } catch (error) {
    invitationState.value = `You could not be let in: ${(error as Error).message}`
  }
}

standing.subscribe(({ is }) => {
  if (is === 'outside' || is === 'inside') void follow()
})

async function idOf(secret: Uint8Array<ArrayBuffer>): Promise<string> {
  const label = new TextEncoder().encode(ID_LABEL)
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array([...label, ...secret]))
  return toBase64url(digest.slice(0, ID_BYTES))
}

async function prove(secret: Uint8Array<ArrayBuffer>, text: string): Promise<string> {
  const how = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', secret, how, false, ['sign'])
  return toBase64url(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text)))
}
