import { describeRule } from '../../node/alarms/alarm.ts'
import type { AlarmVitals, SensorVitals } from '../../node/alarms/vitals.ts'
import type { Fleet } from '../../node/client/operator/vitals-answers.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import type { NodeReport } from '../../node/operators/status.ts'
import { formatReading, SENSOR_KINDS, type SensorEvent } from '../../node/sensors/kinds.ts'
import { formatDuration } from '../duration.ts'
import { fold, formatRows } from '../table.ts'

/** A reading that is older than that is shown with its age, ms. */
const OLD_MS = 60_000

/** That something is wrong with a fridge, for people. */
interface WrongLine {
  readonly text: string
  /** What stands behind it and is copied in one go. */
  readonly copied?: string
}

/** One fridge as a person sees it: a row, and a line for each thing that is wrong with it. */
interface FridgeView {
  readonly row: readonly string[]
  readonly wrong: readonly WrongLine[]
  /** Whether nobody has taken note of one of its alarms. */
  readonly hasOpenAlarms: boolean
}

/** An alarm, and where its node is told that somebody has taken note of it. */
interface ToldAlarm extends AlarmVitals {
  readonly address: string | undefined
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
          vitals.unrecorded === undefined &&
          vitals.untold === undefined),
    )
}

/**
 * Every fridge of a cluster in lines: temperature, door, what failed, alarms.
 * @param now for ages, in milliseconds since 1970
 * @param columns how wide the terminal is: nothing is cut
 */
export function fleetLines(
  nodes: readonly NodeReport[],
  fleet: Fleet,
  now: number,
  columns = Infinity,
): string[] {
  const heard = heardOf(nodes, fleet)
  const addresses = new Map(nodes.map(({ name, addresses: [first] }) => [name, first]))
  const views = nodes.map(node => viewOf(node, alarmsOf(node.name, heard, addresses), heard, now))
  const head = ['FRIDGE', 'STATE', 'READS', 'DOOR', 'ALARMS']
  const [first = [], ...rows] = formatRows([head, ...views.map(({ row }) => row)], [2, 3], columns)
  const lines = views.flatMap(({ wrong }, index) => [
    ...(rows[index] ?? []),
    ...wrong.flatMap(line => fold(wordsIn(line), columns, '    ', '  ! ')),
  ])
  const isOpen = views.some(({ hasOpenAlarms }) => hasOpenAlarms)
  const note = 'take note of an alarm: fridge alarms acknowledge ID --node ADDRESS'
  return [...first, ...lines, ...(isOpen ? ['', ...fold(note, columns)] : [])]
}

/** What a node said before it was gone is not how its fridge is. */
function heardOf(nodes: readonly NodeReport[], fleet: Fleet): Fleet {
  const heard = nodes.filter(({ reachable }) => reachable)
  return new Map(heard.map(({ name }) => [name, fleet.get(name)]))
}

function viewOf(
  node: NodeReport,
  alarms: readonly ToldAlarm[],
  fleet: Fleet,
  now: number,
): FridgeView {
  const { sensors = [], more = 0, unrecorded, untold } = fleet.get(node.name) ?? {}
  const known = sensors.filter(isKnown)
  const measured = known.filter(({ kind }) => SENSOR_KINDS[kind].quantity !== undefined)
  const moved = known.filter(({ kind }) => SENSOR_KINDS[kind].quantity === undefined)
  // Where there is no room for all, one that is alone is not the only one.
  const isOne = (some: readonly SensorVitals[]): boolean => some.length === 1 && more === 0
  const cell = (some: readonly SensorVitals[]): string =>
    some.map(one => wordsOf(one, !isOne(some), now)).join(', ')
  return {
    row: [
      node.name,
      stateOf(node),
      cell(measured),
      cell(moved),
      alarms.length > 0 ? countOf(alarms) : '',
    ],
    hasOpenAlarms: alarms.some(({ isAcknowledged }) => !isAcknowledged),
    wrong: [
      ...alarms.map(alarm => alarmLine(alarm, sensors, now)),
      ...sensors
        .filter(one => !isKnown(one))
        .map(one => ({ text: `${one.sensor}: ${describeUnknown(one, now)}` })),
      ...(unrecorded === undefined ? [] : [{ text: `its history is not recorded: ${unrecorded}` }]),
      ...(untold === undefined
        ? []
        : [{ text: `alarms reach not all who are to be told: ${untold}` }]),
      ...(more > 0 ? [{ text: `and ${more} more that it has no room to say` }] : []),
    ],
  }
}

/** The alarms of a node, and those that others have raised about it. */
function alarmsOf(
  name: string,
  fleet: Fleet,
  addresses: ReadonlyMap<string, string | undefined>,
): ToldAlarm[] {
  const found = new Map<string, ToldAlarm>()
  for (const [teller, vitals] of fleet) {
    for (const alarm of vitals?.alarms ?? []) {
      if ((alarm.about ?? teller) !== name) continue
      found.set(alarm.id, { ...alarm, address: addresses.get(teller) })
    }
  }
  return [...found.values()]
}

/** Whether anything is known of a sensor now. */
export function isKnown({ event, isSealed }: SensorVitals): boolean {
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

function alarmLine(alarm: ToldAlarm, sensors: readonly SensorVitals[], now: number): WrongLine {
  const { id, sensor, kind, rule, since, isAcknowledged, address } = alarm
  const whose = kind === 'node' ? '' : `${sensor}: `
  // The alarm stands until the sensor has been known for a while: what the row shows is true already.
  const isBack =
    rule === 'unavailable' && sensors.some(one => one.sensor === sensor && isKnown(one))
  const what = isBack
    ? `known again, was ${describeRule(alarm)}`
    : `${describeRule(alarm)}, for ${formatDuration(Math.max(0, now - since))}`
  const where = isAcknowledged || address === undefined ? '' : ` --node ${address}`
  return {
    text: `${whose}${what}, ${isAcknowledged ? 'acknowledged' : 'not acknowledged'}`,
    copied: `(${id}${where})`,
  }
}

/** A stolen node has chosen some of them. */
function wordsIn({ text, copied }: WrongLine): string[] {
  const words = foreignText(text).split(' ')
  return copied === undefined ? words : [...words, foreignText(copied)]
}

/** That nothing is known of a sensor, since when and why, for people. */
export function describeUnknown({ event }: SensorVitals, now: number): string {
  if (event?.type !== 'unavailable') return 'has said nothing yet'
  const lasted = formatDuration(Math.max(0, now - event.at))
  return `unavailable for ${lasted}: ${event.reason}`
}
