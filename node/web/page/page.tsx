import { render } from 'preact'
import { Alarms } from './alarms.tsx'
import { Channels } from './channels.tsx'
import { enter, isConsole, name, node, standing } from './connection.ts'
import { textIn } from './form-text.ts'
import { Fleet } from './fleet.tsx'
import { People } from './people.tsx'
import { invitationState } from './invitation.ts'
import { ChangeLog } from './log.tsx'
import { Parts, type Part } from './navigation.tsx'
import { OtherNode } from './other-node.tsx'
import { QrCode } from './qr-code.tsx'
import { Sensors } from './sensors.tsx'
import { Subjects } from './subjects.tsx'
import './page.css'

const PARTS: readonly Part[] = [
  ...(isConsole ? [] : [{ id: 'node', title: 'This fridge', show: showNode }]),
  { id: 'fleet', title: 'Fleet', view: 'fleet', show: () => <Fleet /> },
  {
    id: 'whitelist',
    title: 'Whitelist',
    view: 'whitelist',
    show: () => (isConsole ? <People /> : <Subjects />),
  },
  { id: 'log', title: 'Log', view: 'log', show: () => <ChangeLog /> },
]

/** The node that serves this page, or another one through it. */
function showNode(other: string | undefined) {
  if (other === undefined || other === node.value) return <Sensors />
  return <OtherNode key={other} name={other} />
}

function Page() {
  return (
    <>
      <header>
        <h1>{node.value === '' ? 'fridge' : node.value}</h1>
        <p role="status">{describe()}</p>
      </header>
      <main>
        {invitationState.value !== '' && <p role="status">{invitationState}</p>}
        <SignIn />
        <Channels />
        <Alarms />
        <Parts parts={PARTS} />
      </main>
    </>
  )
}

function describe(): string {
  const now = standing.value
  switch (now.is) {
    case 'connecting':
      return 'connecting…'
    case 'lost':
      return `Not connected: ${now.why}. Trying again…`
    case 'inside':
      return isConsole
        ? 'Console: what you change is signed on this machine'
        : `Live, signed in as ${now.name}`
    case 'outside':
      return 'Connected; nobody has signed in'
  }
}

/** Who is at the browser, and the very command that lets it in. */
function SignIn() {
  const now = standing.value
  if (now.is !== 'outside') return null
  if (isConsole) return <p role="alert">{now.why}</p>
  return (
    <section aria-labelledby="sign-in">
      <h2 id="sign-in">Sign in</h2>
      <form
        onSubmit={event => {
          event.preventDefault()
          void enter(textIn(event.currentTarget, 'name'))
        }}
      >
        <label>
          The name of this browser on the list
          <input
            name="name"
            pattern="[A-Za-z0-9._\-]{1,64}"
            title="1 to 64 letters, digits, dots, underscores and hyphens"
            defaultValue={name.value}
            autocomplete="username"
            required
          />
        </label>
        <button type="submit">Sign in</button>
      </form>
      {now.why !== undefined && <p role="alert">{now.why}</p>}
      {now.command !== undefined && (
        <>
          <p>An operator lets it in with this command, on any node; this page then comes alive:</p>
          <pre tabIndex={0}>
            <code>{now.command}</code>
          </pre>
          <p>Or show it to the camera of whoever is asked, as text to be typed:</p>
          <QrCode text={now.command} title="The command as a code for a camera" />
        </>
      )}
    </section>
  )
}

const place = document.getElementById('page')
if (place !== null) render(<Page />, place)
