import type { Clock } from '../lib/clock.ts'
import {
  alarmId,
  type Acknowledgement,
  type Alarm,
  type AlarmChange,
  type AlarmKind,
} from './alarm.ts'
import { advance, shift, type Excursion, type RuleState } from './engine.ts'
import { pastBy, type Rule, type RuleEvent } from './rule.ts'

/** A sensor as rules know it, or another node. */
export interface WatchedSensor {
  readonly name: string
  readonly kind: AlarmKind
  /** Of a node: when it last said something, by its own clock. It is the same for all who watch it. */
  readonly lastSaidAt?: number
}

/** Another node that is out of reach, or was a moment ago. */
export interface WatchedNode extends WatchedSensor {
  /** Whether that has become an alarm. */
  readonly isRaised: boolean
  /** Whether it is in reach now, for too short a time to be over. */
  readonly isBack: boolean
}

/** What is known to one rule of one sensor, as it is kept between two runs. */
export interface KeptRule {
  readonly sensor: WatchedSensor
  readonly rule: Rule
  readonly state: RuleState
  /** Of the alarm that stands; undefined where none does. */
  readonly id: string | undefined
  readonly acknowledged: Acknowledgement | undefined
}

/** What outlives a run. */
export interface KeptAlarms {
  /** When that was so, in milliseconds since 1970. */
  readonly savedAt: number
  readonly rules: readonly KeptRule[]
  /** Alarms that are over, oldest first. */
  readonly past: readonly Alarm[]
}

export interface AlarmsOptions {
  /** Whose alarms these are. */
  readonly node: string
  /** Who watches that node by rules of its own, which the node may have alike: the alarms are others. */
  readonly watcher?: string | undefined
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'after'>
  /** The rules of a sensor. */
  readonly rulesOf: (sensor: WatchedSensor) => readonly Rule[]
  /** Whether there is any rule. Default true. */
  readonly hasRules?: boolean | undefined
  /** Whether alarms of a sensor tell no value, but only which rule is broken. Default none. */
  readonly isSealed?: ((sensor: string) => boolean) | undefined
  /** What the run before knew. Default nothing. */
  readonly kept?: KeptAlarms | undefined
  /** Told when what is to be kept has changed. */
  readonly onKept?: (() => void) | undefined
}

export type AlarmListener = (change: AlarmChange) => void

/** Alarms that are over of which a node knows still. */
export const MAX_PAST = 200

/** A difference between the clocks from which on the wall clock was set, ms. */
const JUMP_MS = 1_000

/** How long the sensors of a run may take until what the run before knew counts on without them, ms. */
const START_GRACE_MS = 30_000

interface Watch extends KeptRule {
  readonly timer?: Disposable | undefined
}

/** The alarms of one node: its rules, fed with what its sensors say, on one clock. */
export class Alarms implements Disposable {
  readonly #options: AlarmsOptions
  readonly #watches = new Map<string, Map<string, Watch>>()
  readonly #listeners = new Set<{ readonly listener: AlarmListener }>()
  #past: Alarm[]
  /** From the monotonic clock to the wall clock. */
  #offset: number

  constructor(options: AlarmsOptions) {
    const { clock, kept } = options
    this.#options = options
    this.#offset = clock.now() - clock.monotonic()
    // What was not sealed in an earlier run is sealed in this one.
    this.#past = (kept?.past ?? []).map(alarm =>
      this.#isSealed(alarm) ? { ...alarm, ...UNTOLD } : alarm,
    )
    if (kept === undefined) return
    // A clock that is behind what it was says nothing of how long that is ago: no time has passed.
    const behindMs = Math.min(0, clock.now() - kept.savedAt)
    for (const watch of kept.rules) {
      const state = behindMs < 0 ? shift(watch.state, behindMs) : watch.state
      this.#set({ ...watch, state, timer: this.#arm(watch, START_GRACE_MS) })
    }
  }

  /** Whether anything is ever an alarm. */
  get hasRules(): boolean {
    return this.#options.hasRules ?? true
  }

  /** A sensor begins to be watched: until it says something, nothing is known of it. */
  expect(sensor: WatchedSensor): void {
    const rule = this.#options.rulesOf(sensor).find(({ type }) => type === 'unavailable')
    if (rule === undefined) return
    const at = this.#now()
    const watch = this.#watches.get(keyOf(sensor))?.get(rule.type)
    const excursion = watch?.state.excursion
    // A silence that the run before knew of goes on by itself; what it knew last is not known now.
    if (excursion !== undefined && excursion.wellSince === undefined) return
    const event = { type: 'unavailable', reason: 'it has said nothing yet', at } as const
    this.#advance(watch ?? newWatch(sensor, rule), rule, event, at)
  }

  /** Take what a sensor says. */
  hear(sensor: WatchedSensor, event: RuleEvent): void {
    const now = this.#now()
    const rules = this.#options.rulesOf(sensor)
    for (const rule of rules) {
      const before = this.#watches.get(keyOf(sensor))?.get(rule.type)
      this.#advance(before ?? newWatch(sensor, rule), rule, event, now)
    }
    for (const watch of this.#watches.get(keyOf(sensor))?.values() ?? []) {
      if (!rules.some(({ type }) => type === watch.rule.type)) this.#drop(watch, 'rule')
    }
  }

  /** Forget what is known of a sensor, unsaid: whether its alarms are over is not known either. */
  forget(sensor: string): void {
    this.#forget(sensor)
  }

  /** Forget what is known of another node, unsaid: somebody else tells of it. */
  forgetNode(name: string): void {
    this.#forget(keyOf({ name, kind: 'node' }))
  }

  /** A sensor or a node is there no more: its alarms are over. */
  end(sensor: WatchedSensor): void {
    for (const watch of this.#watches.get(keyOf(sensor))?.values() ?? []) this.#drop(watch)
  }

  /** The nodes that are watched because they were out of reach. */
  watchedNodes(): WatchedNode[] {
    return [...this.#all()].flatMap(({ sensor, state: { excursion } }) =>
      sensor.kind !== 'node' || excursion === undefined
        ? []
        : [
            {
              ...sensor,
              isRaised: excursion.raisedAt !== undefined,
              isBack: excursion.wellSince !== undefined,
            },
          ],
    )
  }

  /** End the alarms of sensors that are there no more, and those of which no rule is. */
  keepOnly(sensors: readonly WatchedSensor[]): void {
    for (const watch of this.#all()) {
      const { sensor } = watch
      const isThere = sensor.kind === 'node' || sensors.some(({ name }) => name === sensor.name)
      if (!isThere) this.#drop(watch, 'sensor')
      else if (this.#options.rulesOf(sensor).length === 0) this.#drop(watch, 'rule')
    }
  }

  /** The alarms that stand, as they are now. */
  standing(): Alarm[] {
    return [...this.#all()].flatMap(watch => this.#standingOf(watch) ?? [])
  }

  /** Alarms that are over, oldest first. */
  past(): readonly Alarm[] {
    return this.#past
  }

  /**
   * Take note of an alarm, whether or not it is over. Who does so first stands.
   * @returns the alarm as it is then; undefined where there is none
   */
  acknowledge(id: string, by: string, comment: string): Alarm | undefined {
    const acknowledged = { by, comment, at: this.#now() }
    for (const watch of this.#all()) {
      if (watch.id !== id) continue
      if (watch.acknowledged !== undefined) return this.#standingOf(watch)
      const noted = { ...watch, acknowledged }
      this.#set(noted)
      const alarm = this.#standingOf(noted)
      if (alarm !== undefined) this.#tellKept('acknowledged', alarm)
      return alarm
    }
    const index = this.#past.findIndex(alarm => alarm.id === id)
    const found = this.#past[index]
    if (found === undefined || found.acknowledged !== undefined) return found
    const alarm = { ...found, acknowledged }
    this.#past = this.#past.with(index, alarm)
    this.#tellKept('acknowledged', alarm)
    return alarm
  }

  /** Be told what happens to alarms from now on; `standing` says what was before. */
  subscribe(listener: AlarmListener): Disposable {
    const entry = { listener }
    this.#listeners.add(entry)
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) }
  }

  /** What the next run needs. */
  keep(): KeptAlarms {
    const savedAt = this.#now()
    const rules = [...this.#all()].map(({ timer: _timer, ...kept }) => kept)
    return { savedAt, past: this.#past, rules: rules.filter(isWorthKeeping) }
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#all()) timer?.[Symbol.dispose]()
    this.#watches.clear()
    this.#listeners.clear()
  }

  #forget(key: string): void {
    for (const { timer } of this.#watches.get(key)?.values() ?? []) timer?.[Symbol.dispose]()
    this.#watches.delete(key)
  }

  *#all(): Generator<Watch> {
    for (const watches of this.#watches.values()) yield* watches.values()
  }

  /** Now on a clock that does not jump: when the wall clock was set, all that is known is set with it. */
  #now(): number {
    const { clock } = this.#options
    // Times are whole milliseconds; the monotonic clock has parts of them.
    const jumpMs = Math.round(clock.now() - clock.monotonic() - this.#offset)
    if (Math.abs(jumpMs) > JUMP_MS) {
      this.#offset += jumpMs
      for (const watch of this.#all()) this.#set({ ...watch, state: shift(watch.state, jumpMs) })
    }
    return Math.round(this.#offset + clock.monotonic())
  }

  #advance(watch: Watch, rule: Rule, event: RuleEvent | undefined, now: number): void {
    watch.timer?.[Symbol.dispose]()
    const { state, outcome, dueAt } = advance(rule, watch.state, event, now)
    const { sensor } = watch
    const next: Watch = {
      ...watch,
      // An alarm tells by what it was raised, though the configuration has another limit now.
      rule: watch.id === undefined ? rule : watch.rule,
      state,
      timer: dueAt === undefined ? undefined : this.#arm(watch, dueAt - now),
    }
    if (outcome?.state === 'raised') {
      const id = this.#idOf(sensor, rule, outcome.excursion)
      this.#set({ ...next, id })
      this.#tellKept('raised', this.#alarmOf({ ...next, id }, outcome.excursion))
    } else if (outcome?.state === 'over') {
      this.#set({ ...next, rule, id: undefined, acknowledged: undefined })
      // By the limit that it was raised by it goes on: it is over because there is another one now.
      const ended = isPast(next.rule, outcome.excursion.value) ? 'rule' : undefined
      this.#finish(next, outcome.excursion, { until: outcome.until, ended })
    } else {
      this.#set(next)
      if (isChanged(watch.state.excursion, state.excursion)) this.#options.onKept?.()
    }
  }

  #arm({ sensor, rule: { type } }: Watch | KeptRule, ms: number): Disposable {
    return this.#options.clock.after(ms, () => {
      // Before anything is looked up: when the clock was set, all that is known is set with it.
      const now = this.#now()
      const watch = this.#watches.get(keyOf(sensor))?.get(type)
      if (watch === undefined) return
      const rule = this.#options.rulesOf(watch.sensor).find(own => own.type === type) ?? watch.rule
      this.#advance(watch, rule, undefined, now)
    })
  }

  #set(watch: Watch): void {
    const { sensor, rule } = watch
    const key = keyOf(sensor)
    const watches = this.#watches.get(key) ?? new Map<string, Watch>()
    watches.set(rule.type, watch)
    this.#watches.set(key, watches)
  }

  /** What a rule was about is over. @param ended why, where the rule is there no more */
  #drop({ sensor, rule }: Watch, ended?: Alarm['ended']): void {
    const until = this.#now()
    const watch = this.#watches.get(keyOf(sensor))?.get(rule.type)
    if (watch === undefined) return
    watch.timer?.[Symbol.dispose]()
    this.#watches.get(keyOf(sensor))?.delete(rule.type)
    const { excursion } = watch.state
    if (excursion?.raisedAt !== undefined) {
      this.#finish(watch, excursion, { until, ended })
    }
  }

  #finish(watch: Watch, excursion: Excursion, end: Pick<Alarm, 'until' | 'ended'>): void {
    const { until, ended } = end
    const alarm = { ...this.#alarmOf(watch, excursion), until, ...(ended && { ended }) }
    this.#past = [...this.#past, alarm].slice(-MAX_PAST)
    this.#tellKept('over', alarm)
  }

  #standingOf(watch: Watch): Alarm | undefined {
    const { excursion } = watch.state
    return excursion?.raisedAt === undefined ? undefined : this.#alarmOf(watch, excursion)
  }

  #alarmOf({ sensor, rule, id = '', acknowledged }: Watch, excursion: Excursion): Alarm {
    const { since, raisedAt = since } = excursion
    const { value, extreme, reason } = this.#isSealed(this.#subjectOf(sensor)) ? UNTOLD : excursion
    return {
      id,
      ...this.#subjectOf(sensor),
      kind: sensor.kind,
      rule: rule.type,
      ...('limit' in rule && { limit: rule.limit }),
      forMs: rule.forMs,
      since,
      raisedAt,
      ...(value !== undefined && { value }),
      ...(extreme !== undefined && { extreme }),
      ...(reason !== undefined && { reason }),
      ...(acknowledged !== undefined && { acknowledged }),
    }
  }

  #isSealed({ sensor }: Pick<Alarm, 'sensor'>): boolean {
    return this.#options.isSealed?.(sensor) === true
  }

  #subjectOf({ name, kind }: WatchedSensor): Pick<Alarm, 'node' | 'sensor'> {
    return kind === 'node'
      ? { node: name, sensor: 'node' }
      : { node: this.#options.node, sensor: name }
  }

  #idOf(watched: WatchedSensor, { type }: Rule, { since }: Excursion): string {
    const { lastSaidAt } = watched
    const { watcher } = this.#options
    const origin = { ...this.#subjectOf(watched), rule: type, since: lastSaidAt ?? since, watcher }
    // Two nodes that tell of a third, one after the other or at once, tell one alarm.
    if (lastSaidAt !== undefined) return alarmId(origin)
    const known = new Set(this.#past.map(({ id }) => id))
    for (let repeats = 0; ; repeats += 1) {
      const id = alarmId({ ...origin, repeats })
      if (!known.has(id)) return id
    }
  }

  #tellKept(state: AlarmChange['state'], alarm: Alarm): void {
    for (const entry of Array.from(this.#listeners)) entry.listener({ state, alarm })
    this.#options.onKept?.()
  }
}

/** What is told of the excursion of a sealed sensor. */
const UNTOLD: Pick<Excursion, 'value' | 'extreme' | 'reason'> = {
  value: undefined,
  extreme: undefined,
  reason: undefined,
}

function keyOf({ name, kind }: Pick<WatchedSensor, 'name' | 'kind'>): string {
  return kind === 'node' ? `node/${name}` : name
}

function isPast(rule: Rule, value: number | undefined): boolean {
  return 'limit' in rule && value !== undefined && pastBy(rule, value) > 0
}

function newWatch(sensor: WatchedSensor, rule: Rule): Watch {
  return { sensor, rule, state: {}, id: undefined, acknowledged: undefined }
}

function isWorthKeeping({ state: { excursion, total } }: KeptRule): boolean {
  return excursion !== undefined || (total?.spans.length ?? 0) > 0
}

/** Whether what happened to an excursion must not be lost: that it began or ended, and its worst. */
function isChanged(before: Excursion | undefined, after: Excursion | undefined): boolean {
  return (
    before?.since !== after?.since ||
    before?.extreme !== after?.extreme ||
    before?.wellSince !== after?.wellSince
  )
}
