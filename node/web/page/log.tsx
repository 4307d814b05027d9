import { useEffect, useState } from 'preact/hooks'
import { call } from './connection.ts'
import { EntryChecker, type LogPage, type ShownChange } from './log-entry.ts'
import { describeTerms, type Terms } from './terms.ts'

/** A change, checked. */
interface Row {
  readonly entry: ShownChange
  readonly problem: string
}

/** How many changes are shown at once: the node sends up to 200. */
const SHOWN = 50

/** Who changed what, when and why, newest first, each with its signatures checked in this browser. */
export function ChangeLog() {
  const [rows, setRows] = useState<readonly Row[]>([])
  const [shown, setShown] = useState(SHOWN)
  const [before, setBefore] = useState<number | null>(null)
  const [failure, setFailure] = useState('')
  const [checker] = useState(() => new EntryChecker())
  const read = async (from: number | null, former: readonly Row[]): Promise<void> => {
    try {
      const page = (await call('log', {}, from)) as LogPage
      const checked = await Promise.all(
        page.entries.map(async entry => ({ entry, problem: await checker.problemOf(entry, page) })),
      )
      setRows([...former, ...checked])
      setBefore(page.before)
      setFailure('')
    } catch (error) {
      setFailure((error as Error).message)
    }
  }
  useEffect(() => void read(null, []), [])
  const isMore = rows.length > shown || before !== null
  return (
    <section aria-labelledby="log">
      <h2 id="log">Log</h2>
      <p>
        Both signatures of each change, its operator's and its node's, were checked here, with the
        certificates that the node shows. That your authority has signed these,{' '}
        <code>fridge whitelist log</code> checks.
      </p>
      <p role="alert">{failure}</p>
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            {['When', 'Change', 'By', 'Effect', 'Signatures', 'Why'].map(head => (
              <th key={head} role="columnheader" scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.slice(0, shown).map(({ entry, problem }) => (
            <LogRow key={entry.nodeSignature} entry={entry} problem={problem} />
          ))}
        </tbody>
      </table>
      <div class="windows">
        <button type="button" onClick={() => void read(null, [])}>
          Newest
        </button>
        {isMore && (
          <button
            type="button"
            onClick={() => {
              setShown(shown + SHOWN)
              if (rows.length <= shown + SHOWN && before !== null) void read(before, rows)
            }}
          >
            Older
          </button>
        )}
      </div>
    </section>
  )
}

function LogRow({ entry, problem }: Row) {
  const {
    kind,
    subject = 'the whole list',
    operator,
    at,
    reason,
    source,
    ...terms
  } = JSON.parse(entry.text) as Terms &
    Record<'kind' | 'operator' | 'source', string> & {
      readonly subject?: string
      readonly at: number
      readonly reason?: string
    }
  return (
    <tr role="row">
      <th role="rowheader" scope="row">
        {new Date(at).toLocaleString()}
      </th>
      <td role="cell" data-title="Change">
        {kind} of {subject}
        {kind === 'grant' && <span class="age">{describeTerms(terms)}</span>}
      </td>
      <td role="cell" data-title="By">
        {operator}
        <span class="age">at {source.replace(/#.*/, '')}</span>
      </td>
      <td role="cell" data-title="Effect">
        {entry.effect}
      </td>
      <td role="cell" data-title="Signatures" class={problem === '' ? '' : 'wrong'}>
        {problem === '' ? '✓ verified' : `⚠ NOT VERIFIED: ${problem}`}
      </td>
      <td role="cell" data-title="Why">
        {reason ?? '–'}
      </td>
    </tr>
  )
}
