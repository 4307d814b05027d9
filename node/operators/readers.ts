import type { Member } from '../gossip/member.ts'
import type { Members } from '../gossip/members.ts'
import type { Name, Subject } from '../identity/names.ts'
import { FridgeError } from '../lib/errors.ts'
import { versionOf } from '../whitelist/change.ts'
import type { Terms } from '../whitelist/terms.ts'

/** What a node reads that says nothing of it. */
const FIRST_VERSION = 2

/**
 * Keep a grant back that a node of the cluster could not read: its links would end over it, and it
 * would hear of no removal any more. A removal is never kept back, or a node that pretends to be old
 * could hold its own friends in.
 * @throws FridgeError `ERR_REFUSED` that names the node
 */
export function assertReadByAll(
  {
    kind,
    subject,
    terms = {},
  }: {
    readonly kind: 'grant' | 'revocation'
    readonly subject: Subject
    readonly terms?: Terms
  },
  members: Pick<Members, 'live' | 'unreachable' | 'left'>,
): void {
  const needed = versionOf(subject, terms)
  if (kind !== 'grant' || needed <= FIRST_VERSION) return
  const known: [Name, Member | undefined][] = [
    ...Array.from(members.live().values(), (member): [Name, Member] => [member.name, member]),
    ...members.unreachable(),
    ...Array.from(members.left().values(), (member): [Name, Member] => [member.name, member]),
  ]
  for (const [name, member] of known) {
    if (member !== undefined && (member.reads ?? FIRST_VERSION) >= needed) continue
    const why =
      member === undefined ? 'has not been heard since this node started' : 'is of an older version'
    throw new FridgeError(
      'ERR_REFUSED',
      `${subject} was not added: node/${name} ${why}, and may not be able to read that`,
      {
        fix: `start it with this version of fridge; should it be lost: fridge node forget ${name}`,
      },
    )
  }
}
