/**
 * Tells a webhook when a fridge is too warm, when nothing is known of it, and when that is over.
 *
 *     node examples/webhook-alarm.ts URL [MAX_CELSIUS]
 *
 * Each alarm is one POST of `{"state": "raised" | "over", "about": "NODE" | "NODE/SENSOR", "text"}`,
 * said again until the webhook has taken it.
 */
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
// In a project of your own: from 'fridge/client'.
import { connect, type FridgeEvent } from '../node/client/index.ts'

const [url, maxCelsius = '8'] = process.argv.slice(2)
if (url === undefined) throw new TypeError('say where: node examples/webhook-alarm.ts URL')

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

await using fridge = await connect({
  nodes: (process.env['FRIDGE_NODE'] ?? '127.0.0.1:7443').split(','),
  certs: process.env['FRIDGE_CERTS'] ?? './certs',
})
stop.signal.addEventListener('abort', () => void fridge.close())

/** What is wrong now. While the webhook does not answer, the library keeps the newest readings. */
const raised = new Set<string>()
for await (const event of fridge.events()) {
  const about = 'sensor' in event ? `${event.node}/${event.sensor}` : event.node
  const problem = problemOf(event)
  if (problem === undefined || raised.has(about) === (problem !== '')) continue
  if (problem === '') raised.delete(about)
  else raised.add(about)
  await post({ state: problem === '' ? 'over' : 'raised', about, text: problem || 'all is well' })
}

/** @returns what is wrong, empty when all is well, undefined when the event says neither */
function problemOf(event: FridgeEvent): string | undefined {
  switch (event.type) {
    case 'reading':
      return event.value > Number(maxCelsius) ? `${event.value} °C, more than ${maxCelsius}` : ''
    case 'unavailable':
      return `unavailable: ${event.reason}`
    case 'withdrawn':
      return 'it may not be read any more'
    case 'lost':
      return event.reason.message
    case 'connected':
    case 'open':
    case 'close':
      return ''
    case 'missed':
    case 'alarm':
      return undefined
  }
}

async function post(alarm: { state: 'raised' | 'over'; about: string; text: string }) {
  console.log(alarm.state, alarm.about, alarm.text)
  while (!stop.signal.aborted) {
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)])
    const headers = { 'content-type': 'application/json' }
    try {
      const sent = { method: 'POST', headers, body: JSON.stringify(alarm), signal }
      const { ok, status } = await fetch(url ?? '', sent)
      if (ok) return
      console.error(`the webhook answered ${status}`)
    } catch (error) {
      console.error('the webhook cannot be reached:', error)
    }
    await sleep(1_000, undefined, { signal: stop.signal }).catch(() => {})
  }
}
