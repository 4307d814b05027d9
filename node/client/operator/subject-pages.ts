import type { Subject } from '../../identity/names.ts'
import type { SubjectReport } from '../../operators/subjects.ts'
import { parseSubjectPage, unreadable } from './answers.ts'

/**
 * JSON of a whole list, in UTF-16 units: some 300,000 names. Names in order come to an end, but a
 * stolen node can invent more than any memory or disk holds.
 */
export const MAX_LIST_TEXT = 128 * 1_024 * 1_024

/**
 * Ask a node for all pages of `list`.
 * @param ask asks for the page behind a name
 * @param node the node that answers
 * @throws FridgeError `ERR_PROTOCOL`, and what `ask` throws
 */
export async function* readSubjectPages(
  ask: (after: Subject | null) => Promise<unknown>,
  node: string,
): AsyncGenerator<readonly SubjectReport[]> {
  let after: Subject | null = null
  let text = 0
  for (;;) {
    const page: readonly SubjectReport[] | string = parseSubjectPage(await ask(after), after)
    if (typeof page === 'string') throw unreadable(node, 'list', page)
    const last = page.at(-1)
    if (last === undefined) return
    text += JSON.stringify(page).length
    if (text > MAX_LIST_TEXT) throw unreadable(node, 'list', 'it has no end')
    yield page
    after = last.subject
  }
}
