import { useEffect } from 'preact/hooks'
import { describeStanding } from './alarms.tsx'
import { historyOf } from './connection.ts'
import { HistoryPlot } from './plot.tsx'
import { State } from './sensors.tsx'
import { watched, watchNode } from './watched-node.ts'

/** Another node, live and with its past, through the one that serves this page. */
export function OtherNode({ name }: { readonly name: string }) {
  useEffect(() => watchNode(name), [name])
  const { run = '', why, sensors = [], readings, alarms = [] } = watched.value ?? {}
  return (
    <section aria-labelledby="other">
      <h2 id="other">{name}</h2>
      <p role="status" class={why === undefined ? '' : 'unknown'}>
        {why === undefined
          ? `Live, as ${name} itself says it`
          : `Nothing is known of it now: ${why}`}
      </p>
      {alarms.length > 0 && (
        <ul class="alarms" aria-label={`Alarms of ${name}`}>
          {alarms.map(alarm => (
            <li key={alarm.id}>
              <strong>
                ⚠ {alarm.sensor}: {describeStanding(alarm)}
              </strong>
              <span class="age">since {new Date(alarm.since).toLocaleString()}</span>
            </li>
          ))}
        </ul>
      )}
      <div class="cards">
        {sensors.map(({ name: sensor, kind }) => (
          <article key={sensor}>
            <h3>{sensor}</h3>
            <State reading={readings?.get(sensor)} />
            <HistoryPlot
              sensor={sensor}
              kind={kind}
              ask={async request => historyOf({ node: name, run }, request)}
            />
          </article>
        ))}
      </div>
    </section>
  )
}
