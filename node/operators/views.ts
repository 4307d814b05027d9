import type { Members } from '../gossip/members.ts'
import type { Replica } from '../gossip/replica.ts'
import type { ViewMethod } from '../sessions/views.ts'
import { changeMethods, type ChangeMethodsOptions } from './changes.ts'
import { pagesOf, type ListedOptions } from './subjects.ts'
import { fleetPages } from './vitals.ts'

export interface ViewMethodsOptions extends ChangeMethodsOptions, ListedOptions {
  readonly members: Pick<Members, 'live' | 'left' | 'unreachable'>
  readonly replica: Replica
}

/** What a page may look at beside sensors, if its grant names the view (PROTOCOL.md, "Pages"). */
export function viewMethods(options: ViewMethodsOptions): Map<string, ViewMethod> {
  const methods = new Map<string, ViewMethod>([
    ['fleet', { view: 'fleet', method: fleetPages(options) }],
    ['list', { view: 'whitelist', method: pagesOf(options) }],
  ])
  for (const [name, method] of changeMethods(options)) {
    // A page asks anew: a call that goes on for ever would hold one of the few that it may have.
    if (name === 'log') methods.set(name, { view: 'log', method })
  }
  return methods
}
