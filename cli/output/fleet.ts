import { describeRule } from '../../node/alarms/alarm.ts'
import type { AlarmVitals, SensorVitals } from '../../node/alarms/vitals.ts'
import type { Fleet } from '../../node/client/operator/vitals-answers.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import type { NodeReport } from '../../node/operators/status.ts'
import { formatReading, SENSOR_KINDS, type SensorEvent } from '../../node/sensors/kinds.ts'
import { formatDuration } from '../duration.ts'
import { formatTable } from '../table.ts'

/** A reading that is older than that is shown with its age, ms. */
const OLD_MS = 60_000

/** One fridge as a person sees it: a row, and a line for each thing that is wrong with it. */
interface FridgeView {
  readonly row: readonly string[]
  readonly wrong: readonly string[]
}

/** Whether a node can be reached, in a word or a few. */
export function stateOf({ reachable, left }: NodeReport): string {
  if (reachable) return 'up'
  return left === true ? 'left' : 'out of reach'
}

/** Whether nothing is wrong with any fridge, as far as its node says how it is. */
export function isFleetWell(nodes: readonly NodeReport[], fleet: Fleet): boolean {
  return heardOf(nodes, fleet)
    .values()
    .every(
      vitals =>
        vitals === undefined ||
        (vitals.alarms.length === 0 &&
          vitals.sensors.every(isKnown) &&
          vitals.unrecorded === undefined),
    )
}

/**
 * Every fridge of a cluster in lines that fit 80 columns: temperature, door, what failed, alarms.
 * @param now for ages, in milliseconds since 1970
 */
export function fleetLines(nodes: readonly NodeReport[], fleet: Fleet, now: number): string[] {
  const heard = heardOf(nodes, fleet)
  const views = nodes.map(node => viewOf(node, heard, now))
  const head = ['FRIDGE', 'STATE', 'READS', 'DOOR', 'ALARMS']
  const [first = '', ...rows] = formatTable([head, ...views.map(({ row }) => row)])
  const lines = views.flatMap(({ wrong }, index) => [
    rows[index] ?? '',
    // A stolen node has chosen the words.
    ...wrong.map(line => `  ! ${foreignText(line)}`),
  ])
  return [first, ...lines]
}

/** What a node said before it was gone is not how its fridge is. */
function heardOf(nodes: readonly NodeReport[], fleet: Fleet): Fleet {
  const heard = nodes.filter(({ reachable }) => reachable)
  return new Map(heard.map(({ name }) => [name, fleet.get(name)]))
}

function viewOf(node: NodeReport, fleet: Fleet, now: number): FridgeView {
  const { sensors = [], more = 0, unrecorded } = fleet.get(node.name) ?? {}
  const alarms = alarmsOf(node.name, fleet)
  const known = sensors.filter(isKnown)
  const measured = known.filter(({ kind }) => SENSOR_KINDS[kind].quantity !== undefined)
  const moved = known.filter(({ kind }) => SENSOR_KINDS[kind].quantity === undefined)
  const cell = (some: readonly SensorVitals[]): string =>
    some.map(one => wordsOf(one, some.length > 1, now)).join(', ')
  return {
    row: [
      node.name,
      stateOf(node),
      cell(measured),
      cell(moved),
      alarms.length > 0 ? countOf(alarms) : '',
    ],
    wrong: [
      ...alarms.map(alarm => alarmLine(alarm, now)),
      ...sensors.filter(one => !isKnown(one)).map(one => failureLine(one, now)),
      ...(unrecorded === undefined ? [] : [`its history is not recorded: ${unrecorded}`]),
      ...(more > 0 ? [`and ${more} more that it has no room to say`] : []),
    ],
  }
}

/** The alarms of a node, and those that others have raised about it. */
function alarmsOf(name: string, fleet: Fleet): AlarmVitals[] {
  const found = new Map<string, AlarmVitals>()
  for (const [teller, vitals] of fleet) {
    for (const alarm of vitals?.alarms ?? []) {
      if ((alarm.about ?? teller) === name) found.set(alarm.id, alarm)
    }
  }
  return [...found.values()]
}

function isKnown({ event, isSealed }: SensorVitals): boolean {
  return isSealed === true || (event !== undefined && event.type !== 'unavailable')
}

function wordsOf(vitals: SensorVitals, isNamed: boolean, now: number): string {
  const { sensor, kind, event, isSealed } = vitals
  if (isSealed === true) return isNamed ? `${sensor} sealed` : 'sealed'
  if (event === undefined) return ''
  const value = event.type === 'reading' ? formatReading(kind, event.value) : moveOf(event)
  const ageMs = now - event.at
  const age = event.type === 'reading' && ageMs > OLD_MS ? ` (${formatDuration(ageMs)} ago)` : ''
  return `${isNamed ? `${sensor} ` : ''}${value}${age}`
}

function moveOf({ type }: SensorEvent): string {
  return type === 'close' ? 'closed' : type
}

function countOf(alarms: readonly AlarmVitals[]): string {
  const open = alarms.filter(({ isAcknowledged }) => !isAcknowledged).length
  return open === 0 ? `${alarms.length} acknowledged` : String(alarms.length)
}

function alarmLine(alarm: AlarmVitals, now: number): string {
  const { sensor, kind, since, isAcknowledged } = alarm
  const whose = kind === 'node' ? '' : `${sensor}: `
  const lasted = formatDuration(Math.max(0, now - since))
  const noted = isAcknowledged ? 'acknowledged' : 'not acknowledged'
  return `${whose}${describeRule(alarm)}, for ${lasted}, ${noted} (${alarm.id})`
}

function failureLine({ sensor, event }: SensorVitals, now: number): string {
  if (event?.type !== 'unavailable') return `${sensor}: has said nothing yet`
  const lasted = formatDuration(Math.max(0, now - event.at))
  return `${sensor}: unavailable for ${lasted}: ${event.reason}`
}
