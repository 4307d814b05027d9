import { textIn } from './form-text.ts'
import { channels, unlock, type ChannelView } from './sealed.ts'

const WORDS: Readonly<Record<ChannelView['is'], string>> = {
  closed: '',
  opening: 'Opening…',
  open: '',
  wrong: 'That is not the passphrase of this channel: nothing was opened.',
  changed: 'The passphrase of this channel has changed.',
}

/** The channels whose sensors only the holders of a passphrase read. */
export function Channels() {
  const closed = channels.value.filter(({ is }) => is !== 'open')
  if (closed.length === 0) return null
  return (
    <section aria-labelledby="sealed">
      <h2 id="sealed">Sealed sensors</h2>
      {closed.map(({ channel, is }) => (
        <form
          key={channel}
          onSubmit={event => {
            event.preventDefault()
            void unlock(channel, textIn(event.currentTarget, 'passphrase'))
            event.currentTarget.reset()
          }}
        >
          <label>
            The passphrase of {channel}
            <input
              name="passphrase"
              type="password"
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              required
            />
          </label>
          <button type="submit" disabled={is === 'opening'}>
            Open
          </button>
          <p role="status">{WORDS[is]}</p>
        </form>
      ))}
    </section>
  )
}
