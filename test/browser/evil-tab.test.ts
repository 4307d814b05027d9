import test from 'ava'
import { startCluster } from '../support/cluster.ts'
import { WEB_ON } from '../support/pages.ts'
import { serveSite, signInAs, untilShown } from './browser.ts'
import { setStage } from './support/stage.ts'

/** A person who has signed in, and has a page of somebody else open in the same browser. */

const stage = await setStage()
const { certs, browser } = stage
test.after.always(async () => stage[Symbol.asyncDispose]())

/** What a page of somebody else tries on the node, as the person whose browser it is in. */
const EVIL = `<!DOCTYPE html>
<html lang="en"><title>Kittens</title>
<p id="socket">trying</p><p id="fetch">trying</p><p id="blind">trying</p>
<p id="keys">trying</p><p id="opened">trying</p>
<script type="module">
  const node = new URLSearchParams(location.search).get('node')
  const show = (id, text) => { document.getElementById(id).textContent = text }
  const heard = []
  const socket = new WebSocket(node.replace('https', 'wss') + 'socket.io/?EIO=4&transport=websocket')
  socket.onmessage = ({ data }) => {
    heard.push(data)
    if (data.startsWith('0')) {
      socket.send('40')
      socket.send('420["call","defrost"]')
      socket.send('421["nonce"]')
    }
  }
  socket.onclose = () => show('socket', 'closed: ' + JSON.stringify(heard))
  fetch(node, { credentials: 'include' })
    .then(async answer => answer.text())
    .then(text => show('fetch', 'read ' + text), error => show('fetch', error.name))
  fetch(node + 'page.js', { mode: 'no-cors', credentials: 'include' })
    .then(({ type, status }) => show('blind', type + ' ' + status), error => show('blind', error.name))
  const databases = await indexedDB.databases()
  show('keys', databases.length + ' databases, ' + localStorage.length + ' values')
  document.addEventListener('click', () => {
    const opened = open(node)
    const look = setInterval(() => {
      if (!opened.closed) return
      clearInterval(look)
      show('opened', 'out of reach')
    }, 20)
  })
</script>
<iframe title="The node"></iframe>
<script>
  document.querySelector('iframe').src = new URLSearchParams(location.search).get('node')
</script>
</html>`

test.serial(
  'a page of another origin in the browser of somebody who has signed in comes to nothing',
  async t => {
    await using cluster = await startCluster(t, { certs, config: WEB_ON })
    await using site = await serveSite(certs, new Map([['/', EVIL]]))
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const url = cluster.node(1).page ?? ''
    await page.goto(url)
    const key = await signInAs(page, 'phone')
    await cluster.grant(1, 'phone', { keys: [key] })
    await untilShown(page, 'header [role=status]', /^Live, signed in as phone$/)

    const from = cluster.log.lines.length
    const evil = await context.newPage()
    await evil.goto(`${site.origin}/?node=${encodeURIComponent(url)}`)
    const heard = await untilShown(evil, '#socket', /^closed/)
    // No event, nonce or answer; it may be told why.
    t.notRegex(heard, /"4[023]/)
    t.is(await untilShown(evil, '#fetch', /^(?!trying)/), 'TypeError')
    t.is(await untilShown(evil, '#blind', /^(?!trying)/), 'TypeError')
    t.is(await untilShown(evil, '#keys', /^(?!trying)/), '0 databases, 0 values')
    // Its frame shows nothing of the node, and what it opens is out of its hands.
    t.notRegex(await evil.frameLocator('iframe').locator('body').innerText(), /Sign in|Live|°C/)
    await evil.locator('#opened').click()
    await untilShown(evil, '#opened', /^out of reach$/)
    const said = cluster.log.lines
      .slice(from)
      .map(({ text, fields }) => `${text} ${JSON.stringify(fields)}`)
    t.false(said.some(line => line.includes('defrost')))
    await untilShown(page, 'header [role=status]', /^Live, signed in as phone$/)
    await untilShown(page, 'article:has-text("temperature") .value', /°C/)
  },
)
