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

/** How long a person at a key is let wait for the cluster, in milliseconds. */
const WAIT_MS = 1_000

/** More than that nobody reads. */
const MAX_NAMES = 500

/** What the words of a command line say of the cluster that it is for. */
export interface CompletionTarget extends TargetOptions {
  readonly context?: string | undefined
}

/**
 * The names of a kind that begin so, as far as they are known within a second: who presses a key
 * wants no error, so what cannot be asked has no names.
 */
export async function namesOf(
  kind: NameKind,
  prefix: string,
  { context, ...options }: CompletionTarget,
  io: CommandIo,
): Promise<string[]> {
  const names: string[] = []
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(WAIT_MS)])
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
