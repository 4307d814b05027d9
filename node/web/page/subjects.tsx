import type { ComponentChild } from 'preact'
import { call } from './connection.ts'
import { usePolled } from './polled.ts'
import { describeTerms, type Terms } from './terms.ts'

const LOOK_MS = 10_000

/** A name of the list, or an origin. */
export interface SubjectReport {
  readonly subject: string
  readonly standing: string
  readonly sessions: number
  readonly grants: readonly (Terms & { readonly operator: string; readonly at: number })[]
  readonly removal?: { readonly operator: string; readonly at: number; readonly reason?: string }
}

export interface Actions {
  /** What can be done about a name, where anything can. */
  readonly actions?: ((report: SubjectReport) => ComponentChild) | undefined
  /** Another number has the list read anew. */
  readonly round?: number
}

/** Who is on the list, and which web sites: as the node that serves the page knows it. */
export function Subjects({ actions, round = 0 }: Actions) {
  const { value: all = [], failure } = usePolled(readSubjects, LOOK_MS, round)
  const origins = all.filter(({ subject }) => subject.startsWith('origin/'))
  const others = all.filter(({ subject }) => !subject.startsWith('origin/'))
  return (
    <>
      <p role="alert">{failure}</p>
      <SubjectTable
        title="Whitelist"
        subjects={others}
        none="Nobody is on the list."
        actions={actions}
      />
      <SubjectTable
        title="Origins"
        subjects={origins}
        none="No web site is on the list."
        actions={actions}
      />
    </>
  )
}

function SubjectTable({
  title,
  subjects,
  none,
  actions,
}: Actions & {
  readonly title: string
  readonly subjects: readonly SubjectReport[]
  readonly none: string
}) {
  return (
    <section>
      <h2>{title}</h2>
      {subjects.length === 0 ? (
        <p>{none}</p>
      ) : (
        <table role="table">
          <thead role="rowgroup">
            <tr role="row">
              {['Name', 'Standing', 'By', 'Allowed', ...(actions ? ['Change'] : [])].map(head => (
                <th key={head} role="columnheader" scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {subjects.map(report => (
              <SubjectRow key={report.subject} report={report} actions={actions} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function SubjectRow({ report, actions }: Actions & { readonly report: SubjectReport }) {
  const { subject, standing, sessions, grants, removal } = report
  const [latest = removal] = grants.toSorted((a, b) => b.at - a.at)
  return (
    <tr role="row">
      <th role="rowheader" scope="row">
        {subject.replace(/^(client|origin)\//, '')}
      </th>
      <td role="cell" data-title="Standing" class={standing === 'granted' ? '' : 'wrong'}>
        {standing}
        {sessions > 0 && `, ${sessions} connected here`}
      </td>
      <td role="cell" data-title="By">
        {latest?.operator}
        {latest !== undefined && <span class="age">{new Date(latest.at).toLocaleString()}</span>}
      </td>
      <td role="cell" data-title="Allowed">
        {standing === 'revoked'
          ? (removal?.reason ?? 'nothing')
          : grants.map(describeTerms).join('; and ')}
      </td>
      {actions !== undefined && (
        <td role="cell" data-title="Change">
          {actions(report)}
        </td>
      )}
    </tr>
  )
}

async function readSubjects(): Promise<SubjectReport[]> {
  const all: SubjectReport[] = []
  for (let after: string | null = null; ;) {
    const page = (await call('list', after)) as readonly SubjectReport[]
    const last = page.at(-1)
    if (last === undefined) return all
    all.push(...page)
    after = last.subject
  }
}
