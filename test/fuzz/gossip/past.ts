import { idOf, type Change, type ChangeId, type Head } from '../../../node/whitelist/change.ts'
import type { Entry } from '../../../node/whitelist/entry.ts'
import { signChain } from '../../support/hostile-node.ts'
import { client, grantAt, revocationAt } from '../../support/replica-changes.ts'
import { HONEST, VICTIMS_PAST } from './names.ts'
import { makeFuzzPeople } from './people.ts'

const { victim, honest, operator } = await makeFuzzPeople()
const byVictim = { operator, node: victim }
const [granted] = signChain([grantAt(VICTIMS_PAST, 1)], byVictim)
const removal = revocationAt(VICTIMS_PAST, 2, client('amber'), granted && [idOf(granted)])
const [, removed] = signChain([grantAt(VICTIMS_PAST, 1), removal], byVictim)

const VICTIMS_CHANGES: readonly Change[] = [
  grantAt(VICTIMS_PAST, 1),
  removal,
  grantAt(VICTIMS_PAST, 3, removed && { seen: [idOf(removed)] }),
]

/** What the victim accepted in its first run. */
export const VICTIMS_ENTRIES: readonly Entry[] = signChain(VICTIMS_CHANGES, byVictim)

/** What an honest node accepted. */
export const HONEST_ENTRIES: readonly Entry[] = signChain(
  [revocationAt(HONEST, 1, client('bella'))],
  { operator, node: honest },
)

/** What a change may have seen that knows all that the victim holds, by the name of its client. */
export const FRONTIERS: ReadonlyMap<string, readonly ChangeId[]> = new Map([
  ['amber', VICTIMS_ENTRIES.slice(-1).map(idOf)],
  ['bella', HONEST_ENTRIES.map(idOf)],
])

/** The place up to which a change may say that an author of the victim's past counts. */
export const VICTIMS_LAST: Head = { sequence: 3, hash: VICTIMS_ENTRIES[2]?.hash ?? '' }
