import { idOf, type Change, type ChangeId, type Head } from '../../../node/whitelist/change.ts'
import { chain, client, grantAt, revocationAt } from '../../support/replica-changes.ts'
import { HONEST, VICTIMS_PAST } from './names.ts'

const [granted] = chain([grantAt(VICTIMS_PAST, 1)])
const removal = revocationAt(VICTIMS_PAST, 2, client('amber'), granted && [idOf(granted)])
const [, removed] = chain([grantAt(VICTIMS_PAST, 1), removal])

/** What the victim accepted in its first run. */
export const VICTIMS_CHANGES: readonly Change[] = [
  grantAt(VICTIMS_PAST, 1),
  removal,
  grantAt(VICTIMS_PAST, 3, removed && { seen: [idOf(removed)] }),
]

/** What an honest node accepted. */
export const HONEST_CHANGES: readonly Change[] = [revocationAt(HONEST, 1, client('bella'))]

/** What a change may have seen that knows all that the victim holds, by the name of its client. */
export const FRONTIERS: ReadonlyMap<string, readonly ChangeId[]> = new Map([
  ['amber', chain(VICTIMS_CHANGES).slice(-1).map(idOf)],
  ['bella', chain(HONEST_CHANGES).map(idOf)],
])

/** The place up to which a change may say that an author of the victim's past counts. */
export const VICTIMS_LAST: Head = { sequence: 3, hash: chain(VICTIMS_CHANGES)[2]?.hash ?? '' }
