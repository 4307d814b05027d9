/**
 * Prints what the sensors of a node say, and what becomes of the connection.
 *
 *     node examples/watcher.ts [HOST:PORT…]
 */
import process from 'node:process'
// In a project of your own: from 'fridge/client'.
import { connect, type FridgeEvent } from '../node/client/index.ts'

const nodes = process.argv.slice(2)

await using fridge = await connect({
  nodes: nodes.length > 0 ? nodes : ['127.0.0.1:7443'],
  certs: process.env['FRIDGE_CERTS'] ?? './certs',
})
process.once('SIGINT', () => void fridge.close())

for await (const event of fridge.events()) {
  console.log(`${new Date().toLocaleTimeString()}  ${event.node}  ${describe(event)}`)
}

function describe(event: FridgeEvent): string {
  switch (event.type) {
    case 'connected':
      return `serves ${event.sensors.map(({ name }) => name).join(', ')}`
    case 'lost':
      return `is lost: ${event.reason.message}`
    case 'open':
    case 'close':
      return `${event.sensor}: ${event.type === 'open' ? 'open' : 'closed'}`
    case 'reading':
      return `${event.sensor}: ${event.value.toFixed(1)} ${event.unit === 'C' ? '°C' : event.unit}`
    case 'unavailable':
      return `${event.sensor}: unavailable, ${event.reason}`
    case 'missed':
      return `${event.sensor}: ${event.count} events were missed`
    case 'alarm':
      return `${event.alarm.sensor}: alarm (${event.alarm.rule}) ${event.state}`
    case 'withdrawn':
      return `${event.sensor}: may not be read any more`
  }
}
