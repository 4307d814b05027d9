/**
 * Prints the last day of a thermometer hour by hour, and what became of its alarms, as the node has
 * recorded them.
 *
 *     node examples/last-day.ts [SENSOR]
 */
import process from 'node:process'
// In a project of your own: from 'fridge/client'.
import { connect } from '../node/client/index.ts'

const [sensor = 'temperature'] = process.argv.slice(2)
const from = Date.now() - 24 * 3_600_000

await using fridge = await connect({
  nodes: (process.env['FRIDGE_NODE'] ?? '127.0.0.1:7443').split(','),
  certs: process.env['FRIDGE_CERTS'] ?? './certs',
})

for await (const hour of fridge.history({ sensor, table: 'hours', from })) {
  const { start, low, high, sum, count, unavailableMs } = hour
  const cells = [low, count > 0 ? sum / count : undefined, high].map(value => value?.toFixed(1))
  const minutes = Math.round(unavailableMs / 60_000)
  const unknown = minutes > 0 ? `unavailable for ${minutes} min` : ''
  console.log(new Date(start).toLocaleTimeString(), ...cells.map(cell => cell ?? '-'), unknown)
}
for await (const { at, type } of fridge.history({ sensor, table: 'alarms', from })) {
  console.log(new Date(at).toLocaleTimeString(), 'alarm', type)
}
