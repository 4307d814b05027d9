import type { Command } from 'commander'
import { commandOf } from '../../node/gossip/lost-changes.ts'
import type { NodeReport, StatusReport } from '../../node/operators/status.ts'
import type { CommandContext } from '../command.ts'
import { formatDuration } from '../duration.ts'
import { describeLost } from '../lost.ts'
import { describeRemoval } from '../removal.ts'
import { describeNameInUse, describeTwin } from '../twins.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { count, formatTable } from '../table.ts'
import { addTargetOptions, type TargetOptions } from '../target.ts'
import { connectOperator } from '../operator.ts'

const DAY_MS = 86_400_000

/** Fill `fridge status`. */
export function fillStatus(status: Command, { io, action }: CommandContext): void {
  addTargetOptions(status, 'operator').action(
    action((options: TargetOptions) => runStatus(options, io)),
  )
}

export async function runStatus(options: TargetOptions, io: CommandIo): Promise<ExitStatus> {
  await using operator = await connectOperator(options, io)
  const status = await operator.status()
  const isWhole =
    status.removed === undefined &&
    status.lost === undefined &&
    status.twins === undefined &&
    status.nameInUse === undefined &&
    status.nodes.every(({ reachable, left }) => reachable || left === true)
  if (options.json === true) io.out(JSON.stringify(status))
  else print(status, io)
  return isWhole ? EXIT.done : EXIT.notDone
}

function print(
  {
    node,
    changes,
    subjects,
    aloneMs,
    isolated,
    removed,
    lost,
    twins,
    nameInUse,
    nodes,
  }: StatusReport,
  io: CommandIo,
): void {
  io.out(
    `${node} knows ${count(nodes.length, 'node')}, ${count(subjects, 'name')}, ${count(changes, 'change')}`,
  )
  if (removed !== undefined) io.out(`${node} ${describeRemoval(removed)}`)
  else if (isolated) io.out(`${node} is isolated: no peer in reach for ${formatDuration(aloneMs)}`)
  if (nameInUse !== undefined) io.out(describeNameInUse(node, nameInUse))
  for (const twin of twins ?? []) io.out(describeTwin(twin))
  for (const one of lost ?? []) {
    io.out(`${node} ${describeLost(one)}`)
    io.out(`  to mend it: ${commandOf(one, io.clock.now())}`)
  }
  const rows = nodes.map(one => [
    one.name,
    stateOf(one),
    one.addresses.join(' '),
    isHeard(one) ? String(one.clients) : '',
    changesCell(one, changes),
    one.links.join(' '),
    one.version,
    certificateCell(one, io.clock.now()),
  ])
  const head = ['NODE', 'STATE', 'ADDRESS', 'CLIENTS', 'CHANGES', 'LINKS', 'VERSION', 'CERTIFICATE']
  for (const line of formatTable([head, ...rows], io.columns)) io.out(line)
}

function stateOf({ reachable, left }: NodeReport): string {
  if (reachable) return 'up'
  return left === true ? 'left' : 'out of reach'
}

/** Whether the node that answers has heard this one since its start: else it knows the name alone. */
function isHeard({ certificateEndsAt }: NodeReport): boolean {
  return certificateEndsAt > 0
}

function changesCell(node: NodeReport, all: number): string {
  if (!isHeard(node)) return ''
  return node.changes === all ? String(all) : `${node.changes} of ${all}`
}

/** When a node's certificate ends, with a mark from when on it should be renewed. */
function certificateCell(node: NodeReport, now: number): string {
  const { certificateEndsAt, certificateRenewFrom } = node
  if (!isHeard(node)) return ''
  if (now > certificateEndsAt) return '! expired'
  const left = `in ${formatLifetime(certificateEndsAt - now)}`
  return now < certificateRenewFrom ? left : `! ${left}`
}

/** Days matter to whoever renews certificates, hours only on the last. */
function formatLifetime(ms: number): string {
  return ms < DAY_MS ? formatDuration(ms) : `${Math.floor(ms / DAY_MS)} d`
}
