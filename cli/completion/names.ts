import { holdersIn } from '../../node/authority/rotate.ts'
import { displaySubject, roleOf, type SubjectKind } from '../../node/identity/names.ts'
import { COMMANDS } from '../../node/sensors/commands.ts'
import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import { askEachNode } from '../commands/alarms-nodes.ts'
import { certificateFolder } from '../commands/certs-options.ts'
import { readContexts, withContext } from '../contexts.ts'
import type { CommandIo } from '../io.ts'
import { connectOperator } from '../operator.ts'
import type { TargetOptions } from '../target.ts'
import type { NameKind } from './wanted.ts'

/** More than that nobody reads. */
const MAX_NAMES = 500

/** What the words of a command line say of the cluster that it is for. */
export interface CompletionTarget extends TargetOptions {
  readonly context?: string | undefined
}

/** What is asked for. */
export interface NameQuery {
  readonly kind: NameKind
  /** What each name begins with. */
  readonly prefix: string
  readonly target: CompletionTarget
  /** How long the cluster may take to tell them, in milliseconds. */
  readonly waitMs: number
}

/**
 * The names of a kind, as far as they are told in time: who presses a key wants no error, so what
 * cannot be asked has no names.
 */
export async function namesOf(
  { kind, prefix, target, waitMs }: NameQuery,
  io: CommandIo,
): Promise<string[]> {
  const { context, ...options } = target
  const names: string[] = []
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(waitMs)])
  try {
    const env = await withContext(context ?? (io.env['FRIDGE_CONTEXT'] || undefined), io)
    // Whoever presses a key to complete a word does not expect to be asked for a passphrase.
    const quiet: CommandIo = { ...io, env, signal, err: () => {}, askSecret: undefined }
    for await (const name of source(kind, options, quiet)) {
      if (signal.aborted || names.length >= MAX_NAMES) break
      if (name.startsWith(prefix)) names.push(name)
    }
  } catch {
    // What came until then is shown.
  }
  return names
}

async function* source(
  kind: NameKind,
  options: TargetOptions,
  io: CommandIo,
): AsyncIterable<string> {
  if (kind === 'context') return yield* (await readContexts(io)).all.keys()
  if (kind === 'command') return yield* COMMANDS
  if (kind === 'alarm') return yield* await alarmIds(options, io)
  if (kind === 'operator') {
    const holders = await holdersIn(certificateFolder(options, io))
    return yield* holders.filter(({ role }) => role === 'operator').map(({ name }) => name)
  }
  await using operator = await connectOperator(options, io)
  if (kind === 'client' || kind === 'origin') yield* subjectsOf(kind, operator)
  else if (kind === 'sensor') yield* await sensorsOf(operator)
  else yield* await nodesOf(kind, operator)
}

async function* subjectsOf(kind: SubjectKind, operator: OperatorConnection): AsyncIterable<string> {
  for await (const { subject } of operator.subjects()) {
    if (roleOf(subject) !== kind) continue
    yield kind === 'origin' ? subject.slice('origin/'.length) : displaySubject(subject)
  }
}

async function sensorsOf(operator: OperatorConnection): Promise<Set<string>> {
  const fleet = await operator.vitals()
  return new Set(
    [...fleet.values()].flatMap(vitals => vitals?.sensors.map(one => one.sensor) ?? []),
  )
}

async function nodesOf(kind: 'node' | 'address', operator: OperatorConnection): Promise<string[]> {
  const { nodes } = await operator.status()
  if (kind === 'node') return nodes.map(({ name }) => name)
  return nodes.flatMap(({ addresses }) => addresses)
}

async function alarmIds(options: TargetOptions, io: CommandIo): Promise<string[]> {
  const ids: string[] = []
  await askEachNode(options, io, async node => {
    ids.push(...(await node.alarms()).standing.map(({ id }) => id))
    return 'next'
  })
  return ids
}
