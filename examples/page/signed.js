// Signs in on the page of page.js: sign-in.html?node=https://node-1.example:8443&name=phone
import { node, shown, socket } from './page.js'
import { signIn } from './sign-in.js'

const name = new URLSearchParams(location.search).get('name')
let hello

async function enter() {
  const refused = await signIn(socket, { hello, at: new URL(node).origin, name })
  if (refused === undefined) return
  shown.textContent = `${refused.why}. An operator lets it in with: ${refused.command}`
}

socket.on('hello', said => (hello = said))
socket.on('connect', enter)
// The node says so when that has been done.
socket.on('listed', enter)
