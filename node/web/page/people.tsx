import { signal } from '@preact/signals'
import { useState } from 'preact/hooks'
import { call, onNews } from './connection.ts'
import { textIn } from './form-text.ts'
import { QrCode } from './qr-code.tsx'
import { Subjects, type SubjectReport } from './subjects.tsx'
import type { Terms } from './terms.ts'

/** What a change became. */
interface Committed {
  readonly confirmed: readonly unknown[]
  readonly silent: readonly string[]
  readonly unreachable: readonly string[]
  readonly left: readonly string[]
}

/** That one node has applied a change. */
interface Confirmation {
  readonly node: string
  readonly afterMs: number
  readonly cut?: number
}

/** What is being done to a name, or what came of it. */
interface Progress {
  readonly what: string
  readonly lines: readonly string[]
  readonly end: string
}

const NOTHING: Progress = { what: '', lines: [], end: '' }
const VIEWS = ['fleet', 'whitelist', 'log']
const DAY_MS = 86_400_000

const progress = signal(NOTHING)
/** The link of the invitation that is open. */
const link = signal('')
const round = signal(0)

onNews((event, value) => {
  if (event === 'invitation') link.value = String(value)
  if (event === 'confirmed') {
    const { node, afterMs, cut = 0 } = value as Confirmation
    const cuts = cut === 0 ? '' : `, ${cut} cut`
    const line = `${node} applied it after ${afterMs.toFixed(1)} ms${cuts}`
    progress.value = { ...progress.value, lines: [...progress.value.lines, line] }
  }
  if (event === 'invitation-refused') {
    progress.value = { ...progress.value, lines: [...progress.value.lines, String(value)] }
  }
})

/** Who is on the list, for an operator who changes it. */
export function People() {
  const [chosen, choose] = useState<SubjectReport>()
  const [removing, setRemoving] = useState<SubjectReport>()
  const actions = (report: SubjectReport) => (
    <div class="windows">
      {/* Of several, made on two sides of a partition, one alone would be more than all allow. */}
      {report.grants.length < 2 && (
        <button type="button" onClick={() => choose(report)}>
          Change
        </button>
      )}
      {report.standing !== 'revoked' && (
        <button type="button" onClick={() => setRemoving(report)}>
          Remove
        </button>
      )}
    </div>
  )
  return (
    <>
      <Outcome />
      {removing !== undefined && (
        <Removal key={removing.subject} report={removing} onDone={() => setRemoving(undefined)} />
      )}
      <GrantForm key={chosen?.subject ?? ''} report={chosen} onDone={() => choose(undefined)} />
      <Subjects actions={actions} round={round.value} />
    </>
  )
}

/** How far a change has come, node by node. */
function Outcome() {
  const { what, lines, end } = progress.value
  return (
    <section aria-label="What was changed" aria-live="polite" hidden={what === ''}>
      <h2>{what}</h2>
      {link.value !== '' && (
        <>
          <p>Good once, within ten minutes. Let the camera of the device read it, or send it:</p>
          <QrCode text={link.value} title="The invitation as a code for a camera" />
          <pre tabIndex={0}>
            <code>{link}</code>
          </pre>
          <button type="button" onClick={() => void call('withdraw')}>
            Withdraw it
          </button>
        </>
      )}
      <ul>
        {lines.map(line => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      <p>{end}</p>
    </section>
  )
}

/** Ask before anybody is shut out. */
function Removal({ report, onDone }: { report: SubjectReport; onDone: () => void }) {
  const { subject, sessions } = report
  return (
    <section aria-labelledby="removal">
      <h2 id="removal">Remove {subject}?</h2>
      <p>It is shut out on every node, and its {sessions} connections here are cut.</p>
      <form
        onSubmit={event => {
          event.preventDefault()
          const reason = textIn(event.currentTarget, 'reason')
          onDone()
          void change(
            'remove',
            { subject, ...(reason !== '' && { reason }) },
            `Removing ${subject}`,
          )
        }}
      >
        <label>
          Why, for whoever asks later
          <input name="reason" maxLength={500} />
        </label>
        <button type="submit">Remove {subject} now</button>
        <button type="button" onClick={onDone}>
          Keep it
        </button>
      </form>
    </section>
  )
}

/** Let somebody in, or change what they may. */
function GrantForm({
  report,
  onDone,
}: {
  readonly report: SubjectReport | undefined
  readonly onDone: () => void
}) {
  const terms: Terms = report?.grants[0] ?? {}
  return (
    <section aria-labelledby="grant">
      <h2 id="grant">{report === undefined ? 'Let in' : `Change ${report.subject}`}</h2>
      <form
        class="grant"
        onSubmit={event => {
          event.preventDefault()
          const isInvited = event.submitter?.getAttribute('value') === 'invite'
          submit(event.currentTarget, isInvited, report, terms)
          onDone()
        }}
      >
        {report === undefined && (
          <label>
            Name, or https://host of a web site
            <input name="name" required maxLength={300} />
          </label>
        )}
        <Names field="sensors" title="Sensors" names={terms.sensors} />
        <Names field="commands" title="Commands" names={terms.commands} />
        {report === undefined && (
          <label>
            Key of a browser that shows it; empty for a certificate
            <input name="key" pattern="[0-9a-f]{64}" title="64 hexadecimal digits" />
          </label>
        )}
        <label>
          Days until it ends; empty for never
          <input name="days" type="number" min="1" max="3650" />
        </label>
        <label>
          Why, for whoever asks later
          <input name="reason" maxLength={500} />
        </label>
        <fieldset>
          <legend>It sees as well</legend>
          {VIEWS.map(view => (
            <label key={view} class="choice">
              <input
                type="checkbox"
                name="views"
                value={view}
                defaultChecked={terms.views?.includes(view) === true}
              />
              {view}
            </label>
          ))}
        </fieldset>
        <button type="submit">{report === undefined ? 'Add' : 'Change it'}</button>
        {report === undefined && (
          <button type="submit" value="invite">
            Invite a browser
          </button>
        )}
        {report !== undefined && (
          <button type="button" onClick={onDone}>
            Leave it
          </button>
        )}
      </form>
    </section>
  )
}

function Names({
  field,
  title,
  names,
}: {
  readonly field: string
  readonly title: string
  readonly names: readonly string[] | undefined
}) {
  return (
    <label>
      {title}, with spaces between; empty for all, - for none
      <input name={field} defaultValue={names === undefined ? '' : names.join(' ') || '-'} />
    </label>
  )
}

function submit(
  form: HTMLFormElement,
  isInvited: boolean,
  report: SubjectReport | undefined,
  before: Terms,
): void {
  const name = textIn(form, 'name')
  const role = name.startsWith('https://') ? 'origin' : 'client'
  const subject = report?.subject ?? `${role}/${name}`
  const reason = textIn(form, 'reason')
  const key = textIn(form, 'key')
  const days = Number(textIn(form, 'days'))
  const views = new FormData(form).getAll('views')
  const keys = key === '' ? before.keys : [key]
  const expiresAt = days > 0 ? Date.now() + days * DAY_MS : before.expiresAt
  const terms = {
    ...namesIn(form, 'sensors'),
    ...namesIn(form, 'commands'),
    ...(keys !== undefined && { keys }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(before.public === true && { public: true }),
    ...(views.length > 0 && { views }),
  }
  const what = `${isInvited ? 'Inviting' : report === undefined ? 'Adding' : 'Changing'} ${subject}`
  const asked = { subject, terms, ...(reason !== '' && { reason }) }
  void change(isInvited ? 'invite' : 'add', asked, what)
}

function namesIn(form: HTMLFormElement, field: string): Record<string, readonly string[]> {
  const text = textIn(form, field).trim()
  if (text === '') return {}
  return { [field]: text === '-' ? [] : text.split(/[\s,]+/) }
}

/** Have a change signed by the console, and show it node by node. */
async function change(method: string, asked: object, what: string): Promise<void> {
  progress.value = { ...NOTHING, what, end: 'waiting…' }
  try {
    const { confirmed, silent, unreachable, left } = (await call(method, asked)) as Committed
    const missing = [
      silent.length > 0 ? `no word yet from ${silent.join(', ')}` : '',
      unreachable.length > 0 ? `out of reach: ${unreachable.join(', ')}` : '',
      left.length > 0 ? `stopped in order: ${left.join(', ')}` : '',
    ].filter(text => text !== '')
    const end = [`done on ${confirmed.length} nodes`, ...missing].join('; ')
    progress.value = { ...progress.value, end }
  } catch (error) {
    progress.value = { ...progress.value, end: `⚠ not done: ${(error as Error).message}` }
  }
  link.value = ''
  round.value += 1
}
