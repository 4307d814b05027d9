// Signs in on a page, with a key that this browser makes, keeps, and hands to nobody. Until the key
// is let in, the page shows the command that does it.

/** Open the one store of this page, and run a request on it. */
async function inStore(mode, ask) {
  const opening = indexedDB.open('fridge', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('keys')
  const database = await resultOf(opening)
  return resultOf(ask(database.transaction('keys', mode).objectStore('keys')))
}

function resultOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** The key of this browser. It can be used, and not read: not even by a script of this page. */
export async function ownKey() {
  const kept = await inStore('readonly', store => store.get('own'))
  if (kept !== undefined) return kept
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const made = await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify'])
  await inStore('readwrite', store => store.put(made, 'own'))
  return made
}

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)))
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/**
 * Sign in as `name` on a page that has joined.
 * @param hello what the node said first
 * @param at where the page has dialed the node
 * @returns undefined when it is let in, else why not, and the command that lets it in
 */
export async function signIn(socket, { hello, at, name }) {
  const { privateKey, publicKey } = await ownKey()
  const key = await crypto.subtle.exportKey('spki', publicKey)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', key))
  const keyId = Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('')
  const { value: nonce } = await socket.emitWithAck('nonce')
  const { node, run } = hello
  const said = { node, run, at, origin: location.origin, name, key: keyId, nonce }
  const text = new TextEncoder().encode(`fridge page sign-in 1\n${JSON.stringify(said)}`)
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, text)
  const { error } = await socket.emitWithAck('sign-in', {
    name,
    at,
    key: base64url(key),
    signature: base64url(signature),
  })
  if (error === undefined) return undefined
  return { why: error.message, command: `fridge whitelist add ${name} --key ${keyId}` }
}
