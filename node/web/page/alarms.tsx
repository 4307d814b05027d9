import { signal } from '@preact/signals'
import { alarms, type Alarm } from './alarm-list.ts'
import { call, rights } from './connection.ts'
import { textIn } from './form-text.ts'

const failure = signal('')

/** The alarms that stand, and who has taken note of them. */
export function Alarms() {
  const heard = alarms.value
  return (
    <section aria-labelledby="alarms" hidden={heard.length === 0}>
      <h2 id="alarms">Alarms</h2>
      <ul class="alarms" aria-live="polite">
        {heard.map(alarm => (
          <li key={alarm.id}>
            <strong>
              ⚠ {alarm.sensor === 'node' ? alarm.node : alarm.sensor}: {describeStanding(alarm)}
            </strong>
            <span class="age">since {new Date(alarm.since).toLocaleString()}</span>
            <Note alarm={alarm} />
          </li>
        ))}
      </ul>
      <p role="alert">{failure}</p>
    </section>
  )
}

/** What is wrong now, in words. */
export function describeStanding({ rule, limit, value, reason }: Alarm): string {
  if (rule === 'open') return 'open for too long'
  if (rule === 'unreachable') return 'out of reach'
  if (rule === 'unavailable') return `unavailable: ${reason ?? 'nothing is known'}`
  const now = value === undefined ? '' : `${value.toFixed(2)}, `
  return `${now}limit ${limit ?? ''} (${rule})`
}

function Note({ alarm: { id, sensor, acknowledged } }: { readonly alarm: Alarm }) {
  if (acknowledged !== undefined) {
    const { by, comment } = acknowledged
    return (
      <span class="age">
        noted by {by}: {comment}
      </span>
    )
  }
  if (!rights.value.commands.includes('acknowledge')) return null
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        const comment = textIn(event.currentTarget, 'comment')
        call('acknowledge', id, comment).then(
          () => (failure.value = ''),
          (error: unknown) => (failure.value = (error as Error).message),
        )
      }}
    >
      <label>
        What is done about {sensor}
        <input name="comment" maxLength={500} required />
      </label>
      <button type="submit">Take note</button>
    </form>
  )
}
