import { parseArgs } from 'node:util'
import { formatTable } from '../../cli/table.ts'
import { measureAdmission } from './admission.ts'
import { measureCheckpoint } from './checkpoint.ts'
import { measureEventLatency } from './event-latency.ts'
import { measureFirstSync } from './first-sync.ts'
import { measureFanOut, measurePages } from './fan-out.ts'
import { measureHandshakes } from './handshakes.ts'
import { measureHistory } from './history.ts'
import { measureIdleMemory } from './idle-memory.ts'
import { measureKeyboard } from './keyboard.ts'
import { describeMachine } from './machine.ts'
import { measurePageLoad } from './page-load.ts'
import { measurePageRemoval } from './page-removal.ts'
import { measureReconnect } from './reconnect.ts'
import { measureProcesses } from './processes.ts'
import { measureRelays } from './relays.ts'
import type { Bench } from './result.ts'
import { measureRevocation } from './revocation.ts'
import { measureScale } from './scale.ts'
import { measureFaults } from './scale-faults.ts'
import { measureLists } from './scale-lists.ts'
import { measureMembers } from './scale-members.ts'
import { measureWholeNodes } from './scale-whole.ts'
import { measureSealing } from './sealing.ts'
import { measureStart } from './start.ts'

const BENCHES: Readonly<Record<string, Bench>> = {
  start: measureStart,
  keyboard: measureKeyboard,
  revocation: measureRevocation,
  'fan-out': measureFanOut,
  pages: measurePages,
  'page-removal': measurePageRemoval,
  'page-load': measurePageLoad,
  relays: measureRelays,
  sealing: measureSealing,
  'idle-memory': measureIdleMemory,
  handshakes: measureHandshakes,
  reconnect: measureReconnect,
  admission: measureAdmission,
  'first-sync': measureFirstSync,
  checkpoint: measureCheckpoint,
  'scale-lists': measureLists,
  'scale-faults': measureFaults,
  'scale-members': measureMembers,
  scale: measureScale,
  'scale-whole': measureWholeNodes,
  processes: measureProcesses,
  history: measureHistory,
  'event-latency': measureEventLatency,
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
  },
})
const names = values.only ?? Object.keys(BENCHES)
const unknown = names.find(name => !Object.hasOwn(BENCHES, name))

if (unknown === undefined) {
  for (const line of formatTable(describeMachine())) console.log(line)
  for (const name of names) {
    const progress = (text: string): void => console.error(`${name}: ${text}`)
    const print = (line: string): void => console.log(line)
    const tables = await BENCHES[name]?.({ quick: values.quick, progress, print })
    for (const { title, rows, notes = [] } of tables ?? []) {
      console.log(`\n${title}`)
      for (const line of formatTable(rows)) console.log(`  ${line}`)
      for (const note of notes) console.log(`  ${note}`)
    }
  }
} else {
  console.error(`bench: there is no ${unknown}; use ${Object.keys(BENCHES).join(', ')}`)
  process.exitCode = 2
}
