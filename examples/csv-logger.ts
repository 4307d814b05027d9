/**
 * Appends what the sensors of a node say to a CSV file; gaps stand in it as rows of their own.
 *
 *     node examples/csv-logger.ts FILE
 */
import { open } from 'node:fs/promises'
import process from 'node:process'
// In a project of your own: from 'fridge/client'.
import { connect, type FridgeEvent } from '../node/client/index.ts'

const [path = 'fridge.csv'] = process.argv.slice(2)

await using file = await open(path, 'a')
if ((await file.stat()).size === 0) await append('time,node,sensor,event,value')

await using fridge = await connect({
  nodes: (process.env['FRIDGE_NODE'] ?? '127.0.0.1:7443').split(','),
  certs: process.env['FRIDGE_CERTS'] ?? './certs',
})
process.once('SIGINT', () => void fridge.close())

for await (const event of fridge.events()) {
  const at = 'at' in event ? event.at : Date.now()
  const sensor = 'sensor' in event ? event.sensor : ''
  const cells = [new Date(at).toISOString(), event.node, sensor, event.type, valueOf(event)]
  await append(cells.join(','))
}

function valueOf(event: FridgeEvent): string | number {
  switch (event.type) {
    case 'reading':
      return event.value
    case 'missed':
      return event.count
    case 'unavailable':
      return quote(event.reason)
    case 'lost':
      return quote(event.reason.message)
    default:
      return ''
  }
}

/** A text as one cell. */
function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

async function append(row: string): Promise<void> {
  await file.appendFile(`${row}\n`)
  console.log(row)
}
