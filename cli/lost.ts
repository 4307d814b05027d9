import { displaySubject } from '../node/identity/names.ts'
import type { LostChange } from '../node/whitelist/lost-change.ts'
import { atMoment } from './moment.ts'

/** The rest of a sentence that begins with the name of a node. */
export function describeLost({ kind, subject, operator, at }: LostChange): string {
  const what =
    kind === 'checkpoint'
      ? 'a checkpoint'
      : `the ${kind === 'grant' ? 'grant' : 'removal'} of ${displaySubject(subject)}`
  return `has lost ${what} that ${operator} made${atMoment(at)}: it was set back to an earlier state, or runs twice`
}
