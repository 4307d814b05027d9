import { join } from 'node:path'
import { limitsOf, unreachableForMs, type SensorRulesConfig } from '../config/alarms-config.ts'
import type { NodeConfig } from '../config/config.ts'
import type { Clock, Random } from '../lib/clock.ts'
import { subscribeTo } from '../lib/listeners.ts'
import type { Log } from '../lib/log.ts'
import type { Feeds } from '../sensors/feed.ts'
import { AlarmFile, readAlarmFile, type Unsent } from './alarm-file.ts'
import { describeChange, type AlarmChange } from './alarm.ts'
import { startAlarmProgram } from './alarm-program.ts'
import { Alarms, type AlarmListener, type WatchedSensor } from './alarms.ts'
import { MqttBridge } from './mqtt-bridge.ts'
import { numbersOf, type FridgeNumbers } from './numbers.ts'
import type { Outbox, OutboxOptions, Receiver } from './outbox.ts'
import { receiverProblems } from './receivers.ts'
import type { Rule } from './rule.ts'
import { Silences } from './silences.ts'
import { VitalSigns, type Duty } from './vital-signs.ts'
import { startWebhook } from './webhook.ts'

export interface OpenAlarmsOptions {
  readonly feeds: Pick<Feeds, 'sensors' | 'subscribe' | 'last'>
  /** Whether the history of the sensors is recorded. */
  readonly recording: Duty
  /** Records what happens to alarms, from the first on. */
  readonly record: AlarmListener
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** The alarms of a node, kept on disk and told to whoever is configured. */
export interface OpenAlarms extends AsyncDisposable {
  readonly alarms: Alarms
  /** How the fridge is now. */
  readonly numbers: () => FridgeNumbers
  /** The same, as all other nodes are told it. */
  readonly vitals: VitalSigns
}

/** Watch the sensors of a node by the rules of its configuration. */
export function openAlarms(
  config: Pick<NodeConfig, 'name' | 'data' | 'alarms'>,
  { feeds, recording, record, clock, random, log }: OpenAlarmsOptions,
): OpenAlarms {
  const fileOptions = { path: join(config.data, 'alarms.json'), clock, log }
  const kept = readAlarmFile(fileOptions)
  const rules = new Map(
    Object.entries(config.alarms.rules).map(([name, own]) => [name, rulesFrom(own)]),
  )
  const unreachableMs = unreachableForMs(config.alarms)
  const ofNodes: readonly Rule[] =
    unreachableMs === undefined ? [] : [{ type: 'unreachable', forMs: unreachableMs }]
  const rulesOf = ({ name, kind }: WatchedSensor): readonly Rule[] =>
    kind === 'node' ? ofNodes : (rules.get(name) ?? [])
  const alarms: Alarms = new Alarms({
    node: config.name,
    clock,
    hasRules: rules.size + ofNodes.length > 0,
    rulesOf,
    isSealed: name => feeds.sensors.some(sensor => sensor.name === name && sensor.isSealed),
    kept: kept?.alarms,
    onKept: () => file.touch(),
  })
  const outboxes = new Map<Receiver, Outbox>()
  const listeners = new Set<() => void>()
  const telling: Duty = {
    get whyNot() {
      const reasons = Array.from(outboxes.values(), outbox => outbox.whyNot)
      return reasons.filter(why => why !== undefined).join('; ') || undefined
    },
    subscribe: listener => subscribeTo(listeners, listener),
  }
  const file: AlarmFile = new AlarmFile(fileOptions, () => ({
    alarms: alarms.keep(),
    unsent: unsentOf(outboxes),
  }))
  const subscriptions = new DisposableStack()
  subscriptions.use(alarms.subscribe(change => logChange(change, log)))
  subscriptions.use(alarms.subscribe(record))
  const silences = subscriptions.use(new Silences({ feeds, rulesOf, clock }))
  const outboxOf = (receiver: Receiver): OutboxOptions => ({
    clock,
    random,
    log,
    unsent: kept?.unsent[receiver] ?? [],
    settled: async () => file.settled(),
    onChange: () => file.touch(),
    onHealth: () => listeners.forEach(listener => listener()),
  })
  const { webhook, program: argv, mqtt } = config.alarms
  void receiverProblems(config.alarms).then(problems => {
    for (const { text, fix } of problems) log.warn({ fix }, text)
  })
  if (webhook) outboxes.set('webhook', startWebhook({ ...webhook, ...outboxOf('webhook') }))
  if (argv) outboxes.set('program', startAlarmProgram({ argv, ...outboxOf('program') }))
  const told = { node: config.name, feeds, alarms, rulesOf }
  const bridge = mqtt && new MqttBridge({ ...mqtt, ...told, ...outboxOf('broker') })
  if (bridge) outboxes.set('broker', bridge.outbox)
  for (const outbox of outboxes.values()) {
    subscriptions.use(alarms.subscribe(change => outbox.tell(change)))
  }
  // Last of all: what this run finds at its beginning is told, and kept with what waits already.
  alarms.keepOnly(feeds.sensors)
  for (const sensor of feeds.sensors) alarms.expect(sensor)
  subscriptions.use(feeds.subscribe((sensor, event) => alarms.hear(sensor, event)))
  return {
    alarms,
    numbers: () => numbersOf({ feeds, alarms, rulesOf, silences, outboxes }),
    vitals: new VitalSigns({ node: config.name, feeds, alarms, recording, telling }),
    [Symbol.asyncDispose]: async () => {
      subscriptions.dispose()
      await bridge?.[Symbol.asyncDispose]()
      for (const outbox of outboxes.values()) await outbox[Symbol.asyncDispose]()
      await file[Symbol.asyncDispose]()
      alarms[Symbol.dispose]()
    },
  }
}

function unsentOf(outboxes: ReadonlyMap<Receiver, Outbox>): Unsent {
  const of = (receiver: Receiver): Unsent[Receiver] => outboxes.get(receiver)?.unsent ?? []
  return { webhook: of('webhook'), program: of('program'), broker: of('broker') }
}

/** The rules of a sensor, as the engine knows them. */
export function rulesFrom(config: SensorRulesConfig): Rule[] {
  const rules: Rule[] = []
  for (const [type, side] of Object.entries(limitsOf(config)) as [
    'high' | 'low',
    SensorRulesConfig['high'],
  ][]) {
    if (side === undefined) continue
    const { limit, hysteresis, for: forMs = 0, perDay } = side
    rules.push({ type, limit, forMs, hysteresis })
    if (perDay !== undefined) rules.push({ type: `${type}-per-day`, limit, forMs: perDay })
  }
  const { openFor, unavailableFor } = config
  if (openFor !== undefined) rules.push({ type: 'open', forMs: openFor })
  if (unavailableFor !== 'never') rules.push({ type: 'unavailable', forMs: unavailableFor })
  return rules
}

function logChange(change: AlarmChange, log: Log): void {
  const { id, node, sensor, kind, rule, since, value, extreme, acknowledged } = change.alarm
  const about = kind === 'node' ? node : undefined
  const fields = { id, about, sensor, rule, since, value, extreme, text: describeChange(change) }
  if (change.state === 'raised') log.error(fields, 'alarm')
  else if (change.state === 'over') log.info(fields, 'alarm over')
  else {
    const { by, at, comment } = acknowledged ?? {}
    log.info({ ...fields, by, at, comment }, 'alarm acknowledged')
  }
}
