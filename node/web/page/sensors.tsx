import { readings, rights, type Reading } from './connection.ts'
import { Age } from './now.tsx'
import { HistoryPlot } from './plot.tsx'
import { isReadable } from './sealed.ts'

/** Every sensor of this node that the page may read, with its past. */
export function Sensors() {
  const { sensors } = rights.value
  if (sensors.length === 0) return null
  return (
    <section aria-labelledby="sensors">
      <h2 id="sensors">Sensors</h2>
      <div class="cards">
        {sensors.map(({ name, kind }) => (
          <article key={name}>
            <h3>{name}</h3>
            <State reading={readings.value.get(name)} />
            <HistoryPlot key={String(isReadable(name))} sensor={name} kind={kind} />
          </article>
        ))}
      </div>
    </section>
  )
}

/** The newest word of a sensor. */
export function State({ reading }: { readonly reading: Reading | undefined }) {
  if (reading === undefined) return <p class="value unknown">nothing heard yet</p>
  switch (reading.type) {
    case 'reading':
      return (
        <p class="value">
          {formatValue(reading.value, reading.unit)}
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

/** A value with its unit, as people write it. */
export function formatValue(value: number, unit: string): string {
  return `${value.toFixed(2)} ${unit === 'C' ? '°C' : unit}`
}
