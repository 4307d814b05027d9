import { render } from 'preact'
import { Alarms } from './alarms.tsx'
import { Channels } from './channels.tsx'
import { enter, name, node, standing } from './connection.ts'
import { textIn } from './form-text.ts'
import { Sensors } from './sensors.tsx'
import './page.css'

function Page() {
  return (
    <>
      <header>
        <h1>{node.value === '' ? 'fridge' : node.value}</h1>
        <p role="status">{describe()}</p>
      </header>
      <main>
        <SignIn />
        <Channels />
        <Alarms />
        <Sensors />
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
      return `Live, signed in as ${now.name}`
    case 'outside':
      return 'Connected; nobody has signed in'
  }
}

/** Who is at the browser, and the very command that lets it in. */
function SignIn() {
  const now = standing.value
  if (now.is !== 'outside') return null
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
        </>
      )}
    </section>
  )
}

const place = document.getElementById('page')
if (place !== null) render(<Page />, place)
