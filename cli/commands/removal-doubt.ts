import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import {
  displaySubject,
  nameOf,
  roleOf,
  subjectOf,
  type Name,
  type Subject,
} from '../../node/identity/names.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { nearest } from '../../node/lib/nearest.ts'
import type { ShowReport } from '../../node/operators/subjects.ts'
import type { CommandIo } from '../io.ts'

/** Who is known of each role, as far as the list, the cluster and the certificate folder tell. */
interface KnownNames {
  readonly client: ReadonlySet<Name>
  readonly node: ReadonlySet<Name>
  readonly operator: ReadonlySet<Name>
  readonly origin: ReadonlySet<Name>
}

/** What else is known of a removal. */
interface Removing {
  /** The certificate folder. */
  readonly certs: string
  /** All that the same command removes. */
  readonly subjects: readonly Subject[]
}

/**
 * Have a person say that a removal is meant which is more likely a slip: of a name that nobody
 * knows, or of the last operator. Nothing looks more like success than the removal of a name that
 * is misspelled.
 * @throws FridgeError `ERR_USAGE` when it is not meant, or nobody can be asked
 */
export async function assertMeant(
  before: ShowReport,
  operator: OperatorConnection,
  { certs, subjects }: Removing,
  { confirm, progress }: Pick<CommandIo, 'confirm' | 'progress'>,
): Promise<void> {
  const doubt = await doubtOf(before, operator, { certs, subjects })
  if (doubt === undefined) return
  const name = displaySubject(before.subject)
  if (confirm === undefined) {
    throw new FridgeError('ERR_USAGE', doubt, {
      fix: `should it be meant: fridge whitelist remove ${name} --force`,
    })
  }
  progress('')
  if (await confirm(`${doubt}. Remove ${name} all the same?`)) return
  throw new FridgeError('ERR_USAGE', `${name} was not removed`, {
    fix: 'see who is there: fridge whitelist list',
  })
}

/** The name that was likely meant by one that no change names; undefined where none is near. */
export async function likelyMeant(
  { subject, standing, nodes }: ShowReport,
  operator: OperatorConnection,
  certs: string,
): Promise<string | undefined> {
  const [role, name] = [roleOf(subject), nameOf(subject)]
  if (standing !== 'unknown') return undefined
  const known = await knownNames(nodes, operator, certs)
  return known[role].has(name) ? undefined : guessFor(role, name, known)
}

async function doubtOf(
  { subject, standing, nodes }: ShowReport,
  operator: OperatorConnection,
  { certs, subjects }: Removing,
): Promise<string | undefined> {
  const [role, name] = [roleOf(subject), nameOf(subject)]
  const isNode = nodes.some(node => node.name === name)
  if (standing !== 'unknown' || (role === 'node' && isNode)) return undefined
  const known = await knownNames(nodes, operator, certs)
  if (role === 'operator' && known.operator.has(name)) {
    // Those that go with it will change nothing either.
    const going = subjects.filter(one => roleOf(one) === 'operator').map(nameOf)
    const others = known.operator.difference(new Set(going))
    if (await hasStanding(others, operator)) return undefined
    return `${name} is the last operator that is known: nobody could change the list any more`
  }
  const guess = guessFor(role, name, known)
  const said =
    role === 'client' || role === 'origin'
      ? `${name} was never let in`
      : `no ${role} ${name} is known`
  return guess === undefined ? said : `${said}; did you mean ${guess}?`
}

async function knownNames(
  nodes: ShowReport['nodes'],
  operator: OperatorConnection,
  certs: string,
): Promise<KnownNames> {
  const clients = new Set<Name>()
  const operators = new Set<Name>([nameOf(operator.subject)])
  const origins = new Set<Name>()
  for await (const { subject, grants, removal } of operator.subjects()) {
    if (roleOf(subject) === 'client') clients.add(nameOf(subject))
    if (roleOf(subject) === 'origin') origins.add(nameOf(subject))
    for (const { operator: author } of grants) operators.add(author)
    if (removal !== undefined) operators.add(removal.operator)
  }
  // What issues certificates takes long to load, and few names are in doubt.
  const { holdersIn } = await import('../../node/authority/rotate.ts')
  const holders = await holdersIn(certs)
  for (const holder of holders) if (holder.role === 'operator') operators.add(holder.name)
  const named = new Set(nodes.map(node => node.name))
  return { client: clients, node: named, operator: operators, origin: origins }
}

/** Whether one of these operators still counts. */
async function hasStanding(names: Iterable<Name>, operator: OperatorConnection): Promise<boolean> {
  for (const name of names) {
    const { standing } = await operator.show(subjectOf('operator', name))
    if (standing !== 'revoked') return true
  }
  return false
}

/** A name without its prefix is that of another role; else the nearest of its own. */
function guessFor(role: keyof KnownNames, name: Name, known: KnownNames): string | undefined {
  for (const other of ['client', 'node', 'operator'] as const) {
    if (other !== role && known[other].has(name)) return displaySubject(subjectOf(other, name))
  }
  const near = nearest(name, known[role])
  return near === undefined ? undefined : displaySubject(subjectOf(role, near as Name))
}
