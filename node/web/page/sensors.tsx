import { signal } from '@preact/signals'
import { clockOffset, readings, sensors, type Reading } from './connection.ts'
import { HistoryPlot } from './plot.tsx'
import { isReadable } from './sealed.ts'

const SECOND_MS = 1_000

/** The time of this machine, so that ages grow on the page. */
const now = signal(Date.now())
setInterval(() => {
  now.value = Date.now()
}, SECOND_MS)

/** Every sensor that the page may read. */
export function Sensors() {
  if (sensors.value.length === 0) return null
  return (
    <section aria-labelledby="sensors">
      <h2 id="sensors">Sensors</h2>
      <div class="cards">
        {sensors.value.map(({ name, kind }) => (
          <article key={name}>
            <h3>{name}</h3>
            <State reading={readings.value.get(name)} />
            {kind !== 'door' && <HistoryPlot key={String(isReadable(name))} sensor={name} />}
          </article>
        ))}
      </div>
    </section>
  )
}

function State({ reading }: { readonly reading: Reading | undefined }) {
  if (reading === undefined) return <p class="value unknown">nothing heard yet</p>
  switch (reading.type) {
    case 'reading':
      return (
        <p class="value">
          {reading.value.toFixed(2)} {reading.unit === 'C' ? '°C' : reading.unit}
          <Age at={reading.at} />
        </p>
      )
    case 'unavailable':
      return (
        <p class="value unknown">
          unavailable
          <span class="age">{reading.reason}</span>
        </p>
      )
    default:
      return (
        <p class="value">
          {reading.type === 'open' ? 'open' : 'closed'}
          <Age at={reading.at} />
        </p>
      )
  }
}

function Age({ at }: { readonly at: number }) {
  const seconds = Math.max(0, Math.round((now.value + clockOffset.value - at) / SECOND_MS))
  const moment = new Date(at).toISOString()
  return (
    <time class="age" dateTime={moment}>
      {describeAge(seconds)}
    </time>
  )
}

function describeAge(seconds: number): string {
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`
  return `${Math.floor(seconds / 3_600)} h ago`
}
