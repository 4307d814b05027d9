import { signal } from '@preact/signals'
import { afterNews, type Alarm } from './alarm-list.ts'
import { call, onNews, readingOf, standing, type Reading, type Sensor } from './connection.ts'

/** What is known of another node, through the one that serves this page (PROTOCOL.md, "Relays"). */
export interface WatchedNode {
  readonly name: string
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
  watched.value = { name, why, sensors: [], readings: new Map(), alarms: [] }
}

onNews((event, name, ...values) => {
  const before = watched.value
  if (before === undefined || before.name !== name) return
  switch (event) {
    case 'relay':
      return hearRelay(before, values[0] as RelayNews)
    case 'relayed': {
      const [sensor, type, ...rest] = values as [string, string, ...unknown[]]
      const reading = type === 'sealed' ? SEALED : readingOf(type, rest)
      watched.value = { ...before, readings: new Map(before.readings).set(sensor, reading) }
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
  | { readonly is: 'open'; readonly sensors: readonly Sensor[] }
  | { readonly is: 'lost'; readonly text: string }

const SEALED: Reading = {
  type: 'unavailable',
  reason: 'sealed: it is opened on the page of its own node',
}

function hearRelay(before: WatchedNode, said: RelayNews): void {
  if (said.is === 'lost') return show(before.name, said.text)
  const { sensors } = said
  // What may not be read any more is not shown any more.
  const names = new Set(sensors.map(({ name }) => name))
  const readings = new Map(Array.from(before.readings).filter(([sensor]) => names.has(sensor)))
  watched.value = { ...before, why: undefined, sensors, readings }
}
