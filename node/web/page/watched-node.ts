import { signal } from '@preact/signals'
import { afterNews, type Alarm } from './alarm-list.ts'
import { openFar } from './sealed.ts'
import { call, onNews, readingOf, standing, type Reading, type Sensor } from './connection.ts'

/** What is known of another node, through the one that serves this page (PROTOCOL.md, "Relays"). */
export interface WatchedNode {
  readonly name: string
  /** Its run; empty while nothing is known. */
  readonly run: string
  /** Why nothing is known; undefined while it tells of itself. */
  readonly why: string | undefined
  readonly sensors: readonly Sensor[]
  readonly readings: ReadonlyMap<string, Reading>
  readonly alarms: readonly Alarm[]
}

/** The other node that is looked at; undefined while none is. */
export const watched = signal<WatchedNode | undefined>(undefined)

/** Look at another node, as long as the page is let in. @returns what ends that */
export function watchNode(name: string): () => void {
  show(name, 'asking it…')
  const ask = async (): Promise<void> => {
    try {
      await call('watch', name)
    } catch (error) {
      show(name, (error as Error).message)
    }
  }
  // Whoever signs in, again too, asks anew.
  const stop = standing.subscribe(({ is }) => {
    if (is === 'inside') void ask()
    else show(name, 'nobody has signed in')
  })
  return () => {
    stop()
    if (watched.value?.name === name) watched.value = undefined
    call('unwatch', name).catch(() => {})
  }
}

function show(name: string, why: string): void {
  latest.clear()
  watched.value = { name, run: '', why, sensors: [], readings: new Map(), alarms: [] }
}

onNews((event, name, ...values) => {
  const before = watched.value
  if (before === undefined || before.name !== name) return
  switch (event) {
    case 'relay':
      return hearRelay(before, values[0] as RelayNews)
    case 'relayed': {
      const [sensor, type, ...rest] = values as [string, string, ...unknown[]]
      latest.set(sensor, rest.at(-1))
      if (type === 'sealed') void hearSealed(before, sensor, rest)
      else tell(sensor, type, rest)
      return
    }
    case 'relayed-alarms': {
      const [state, value] = values as [string, unknown]
      watched.value = { ...before, alarms: afterNews(before.alarms, state, value) }
    }
  }
})

/** What the node says of its connection to the other one. */
type RelayNews =
  | { readonly is: 'open'; readonly run: string; readonly sensors: readonly Sensor[] }
  | { readonly is: 'lost'; readonly text: string }

/** The number of the newest event of each sensor. */
const latest = new Map<string, unknown>()

function tell(sensor: string, type: string, values: readonly unknown[]): void {
  const now = watched.value
  if (now === undefined) return
  const readings = new Map(now.readings).set(sensor, readingOf(type, values))
  watched.value = { ...now, readings }
}

async function hearSealed(
  { name: node, run, sensors }: WatchedNode,
  sensor: string,
  values: readonly unknown[],
): Promise<void> {
  const info = sensors.find(({ name }) => name === sensor)
  if (info === undefined) return
  const [type, ...said] = await openFar({ node, run }, info, values)
  // Meanwhile a newer one may have come, or another node be looked at.
  if (watched.value?.run === run && latest.get(sensor) === values.at(-1)) {
    tell(sensor, String(type), said)
  }
}

function hearRelay(before: WatchedNode, said: RelayNews): void {
  if (said.is === 'lost') return show(before.name, said.text)
  const { run, sensors } = said
  // What may not be read any more is not shown any more.
  const names = new Set(sensors.map(({ name }) => name))
  const readings = new Map(Array.from(before.readings).filter(([sensor]) => names.has(sensor)))
  watched.value = { ...before, run, why: undefined, sensors, readings }
}
