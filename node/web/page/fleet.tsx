import { call, isConsole, node, readings, type Reading } from './connection.ts'
import { Age, ageOf } from './now.tsx'
import { usePolled } from './polled.ts'
import { textIn } from './form-text.ts'
import { useState } from 'preact/hooks'
import { formatValue } from './sensors.tsx'
import {
  describeAlarm,
  describeValue,
  readVitals,
  type AlarmVitals,
  type SensorVitals,
  type Vitals,
} from './vitals.ts'

const LOOK_MS = 2_000

interface Fridge {
  readonly name: string
  readonly state: string
  readonly vitals: Vitals
}

/** Every fridge of the cluster: live where the page reads it itself, and else as its node tells all. */
export function Fleet() {
  const { value: fridges, failure } = usePolled(readFleet, LOOK_MS)
  return (
    <section aria-labelledby="fleet">
      <h2 id="fleet">Fleet</h2>
      <p role="alert">{failure}</p>
      <div class="cards">
        {fridges?.map(fridge => (
          <FridgeCard key={fridge.name} fridge={fridge} fleet={fridges} />
        ))}
      </div>
    </section>
  )
}

function FridgeCard({ fridge, fleet }: { fridge: Fridge; fleet: readonly Fridge[] }) {
  const { name, state, vitals } = fridge
  const isUp = state === 'up'
  const about = fleet
    .filter(teller => teller.state === 'up')
    .flatMap(teller =>
      teller.vitals.alarms
        .filter(alarm => (alarm.about ?? teller.name) === name)
        .map(alarm => ({ ...alarm, teller: teller.name })),
    )
  const distinct = [...new Map(about.map(alarm => [alarm.id, alarm])).values()]
  return (
    <article>
      <h3>{isConsole ? name : <a href={`#node/${name}`}>{name}</a>}</h3>
      <p class={isUp ? 'state' : 'state wrong'}>{isUp ? 'up' : `⚠ ${state}`}</p>
      {distinct.length > 0 && (
        <ul class="wrong" aria-label={`Alarms of ${name}`}>
          {distinct.map(alarm => (
            <li key={alarm.id}>
              ⚠ {describeAlarm(alarm)}, for {ageOf(alarm.since)}
              {isConsole && !alarm.isNoted && <Note alarm={alarm} at={alarm.teller} />}
            </li>
          ))}
        </ul>
      )}
      {isUp && (
        <dl>
          {vitals.sensors.map(sensor => (
            <SensorRow
              key={sensor.sensor}
              sensor={sensor}
              live={name === node.value ? readings.value.get(sensor.sensor) : undefined}
            />
          ))}
        </dl>
      )}
      {!isUp && <p class="unknown">nothing is known of it now</p>}
      {vitals.more > 0 && isUp && <p class="age">and {vitals.more} more</p>}
    </article>
  )
}

/** Take note of an alarm at the node that tells of it. */
function Note({ alarm: { id, sensor }, at }: { readonly alarm: AlarmVitals; readonly at: string }) {
  const [failure, setFailure] = useState('')
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        const comment = textIn(event.currentTarget, 'comment')
        call('acknowledge', id, comment, at).then(
          () => setFailure(''),
          (error: unknown) => setFailure((error as Error).message),
        )
      }}
    >
      <label>
        What is done about {sensor} of {at}
        <input name="comment" maxLength={500} required />
      </label>
      <button type="submit">Take note</button>
      <span role="alert">{failure}</span>
    </form>
  )
}

function SensorRow({ sensor, live }: { sensor: SensorVitals; live: Reading | undefined }) {
  const isKnown = live === undefined ? sensor.value !== null : live.type !== 'unavailable'
  const at = live !== undefined && 'at' in live ? live.at : sensor.at
  return (
    <>
      <dt>{sensor.sensor}</dt>
      <dd class={isKnown ? '' : 'unknown'}>
        {live === undefined ? describeValue(sensor) : describeLive(live)}
        {at > 0 && <Age at={at} />}
      </dd>
    </>
  )
}

function describeLive(live: Reading): string {
  if (live.type === 'reading') return formatValue(live.value, live.unit)
  if (live.type === 'unavailable') return `unavailable: ${live.reason}`
  return live.type === 'open' ? 'open' : 'closed'
}

async function readFleet(): Promise<Fridge[]> {
  const fridges: Fridge[] = []
  for (let after: string | null = null; ;) {
    const page = (await call('fleet', after)) as readonly {
      name: string
      state: string
      vitals: unknown
    }[]
    const last = page.at(-1)
    if (last === undefined) return fridges
    for (const { name, state, vitals } of page) {
      fridges.push({ name, state, vitals: readVitals(vitals) })
    }
    after = last.name
  }
}
