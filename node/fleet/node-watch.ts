import type { Alarms } from '../alarms/alarms.ts'
import { parseVitals } from '../alarms/vitals.ts'
import type { Member } from '../gossip/member.ts'
import type { Members } from '../gossip/members.ts'
import { untilNextRound, type Clock } from '../lib/clock.ts'

/** How often this node looks which others are out of reach, in milliseconds. */
const LOOK_MS = 2_000

/** Nodes of which one node tells at most: whoever is cut off from a large cluster has said enough. */
const MAX_TOLD = 16

export interface NodeWatchOptions {
  readonly members: Pick<Members, 'self' | 'live' | 'unreachable'>
  readonly alarms: Pick<Alarms, 'hear' | 'end' | 'forgetNode' | 'watchedNodes'>
  readonly clock: Pick<Clock, 'now' | 'after'>
}

/**
 * Watch the other nodes, until it is disposed: one that is dead cannot say so. Of each that is out of
 * reach one node tells, the next by name of those that are alive, unless another one that is alive
 * says already that it does: once for the cluster, and on each side of one that is parted.
 */
export function startNodeWatch({ members, alarms, clock }: NodeWatchOptions): Disposable {
  let timer: Disposable
  const since = new Map<string, number>()
  const look = (): void => {
    const unreachable = members.unreachable()
    const gone = new Set<string>(unreachable.keys())
    for (const name of since.keys()) if (!gone.has(name)) since.delete(name)
    for (const name of gone) if (!since.has(name)) since.set(name, clock.now())
    settle({ alarms, members, clock }, gone)
    if (unreachable.size > 0) tell({ members, alarms, clock }, unreachable, since)
    timer = clock.after(untilNextRound(clock, LOOK_MS), look)
  }
  look()
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

type Unreachable = ReturnType<Members['unreachable']>

/** Say of nodes that are told of whether they are back, or are waited for no more. */
function settle({ alarms, members, clock }: NodeWatchOptions, gone: ReadonlySet<string>): void {
  for (const sensor of alarms.watchedNodes()) {
    if (gone.has(sensor.name)) continue
    const live = members.live().values()
    const isBack = live.some(({ name }) => name === sensor.name)
    if (!isBack) alarms.end(sensor)
    else alarms.hear(sensor, { type: 'reached', at: clock.now() })
  }
}

function tell(
  { members, alarms, clock }: NodeWatchOptions,
  unreachable: Unreachable,
  since: ReadonlyMap<string, number>,
): void {
  const live = [...members.live().values()]
  const names = live.map(({ name }) => String(name)).sort()
  const others = live.filter(({ name }) => name !== members.self.name)
  const told = new Set(others.flatMap(toldBy))
  const own = new Map(alarms.watchedNodes().map(sensor => [sensor.name, sensor]))
  for (const [name, member] of unreachable) {
    const known = own.get(name)
    // One that is raised is gone on with by whoever has raised it.
    if (known?.isRaised !== true) {
      if (told.has(name) || nextBehind(name, names) !== members.self.name) {
        if (known !== undefined) alarms.forgetNode(name)
        continue
      }
      if (known === undefined && own.size >= MAX_TOLD) continue
    }
    // It was back for too short a time to be over, and is gone again.
    if (known?.isBack === false) continue
    const sensor = known ?? { name, kind: 'node', lastSaidAt: member?.saidAt ?? 0 }
    own.set(name, { ...sensor, isRaised: known?.isRaised ?? false, isBack: false })
    const at = since.get(name) ?? 0
    alarms.hear(sensor, { type: 'unavailable', reason: lastWordOf(member, clock.now()), at })
  }
}

/** The nodes that another one says are out of reach. */
function toldBy({ vitals }: Member): string[] {
  const { alarms = [] } = parseVitals(vitals) ?? {}
  return alarms.flatMap(({ rule, about }) => (rule === 'unreachable' ? (about ?? []) : []))
}

/** The next in a ring of sorted names. */
function nextBehind(name: string, sorted: readonly string[]): string | undefined {
  return sorted.find(one => one > name) ?? sorted[0]
}

function lastWordOf(member: Member | undefined, now: number): string {
  if (member === undefined) return 'it has not been heard since others started'
  const { sensors = [] } = parseVitals(member.vitals) ?? {}
  const newest = Math.max(member.saidAt, ...sensors.map(({ event }) => event?.at ?? 0))
  // Nothing was said later than now, whatever the clock of the node says.
  return `its last word was of ${new Date(Math.min(newest, now)).toISOString()}`
}
