import type { Command } from 'commander'
import type { NodeReport, StatusReport } from '../../node/operators/status.ts'
import type { CommandContext } from '../command.ts'
import { formatDuration } from '../duration.ts'
import { describeRemoval } from '../removal.ts'
import { describeNameInUse, describeTwin } from '../twins.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { count, formatTable } from '../table.ts'
import { addTargetOptions, type TargetOptions } from '../target.ts'
import { connectOperator } from '../operator.ts'
import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import type { Fleet } from '../../node/client/operator/vitals-answers.ts'
import { fleetLines, isFleetWell } from '../output/fleet.ts'

const DAY_MS = 86_400_000

/** Fill `fridge status`. */
export function fillStatus(status: Command, { io, action }: CommandContext): void {
  addTargetOptions(status, 'operator').action(
    action((options: TargetOptions) => runStatus(options, io)),
  )
}

export async function runStatus(options: TargetOptions, io: CommandIo): Promise<ExitStatus> {
  await using operator = await connectOperator(options, io)
  return (await showStatus(operator, options, io)) ? EXIT.done : EXIT.notDone
}

/** Print the cluster and its fridges once. @returns whether all is well */
async function showStatus(
  operator: OperatorConnection,
  { json = false }: TargetOptions,
  io: CommandIo,
): Promise<boolean> {
  const status = await operator.status()
  const fleet = await operator.vitals()
  const isWhole =
    status.removed === undefined &&
    status.twins === undefined &&
    status.nameInUse === undefined &&
    status.nodes.every(({ reachable, left }) => reachable || left === true)
  if (json) {
    const nodes = status.nodes.map(node => ({ ...node, vitals: fleet.get(node.name) ?? null }))
    io.out(JSON.stringify({ ...status, nodes }))
  } else for (const line of statusLines(status, fleet, io.clock.now())) io.out(line)
  return isWhole && isFleetWell(fleet)
}

function statusLines(status: StatusReport, fleet: Fleet, now: number): string[] {
  const { node, changes, subjects, aloneMs, isolated, removed, twins, nameInUse, nodes } = status
  const lines = [
    `${node} knows ${count(nodes.length, 'node')}, ${count(subjects, 'name')}, ${count(changes, 'change')}`,
  ]
  if (removed !== undefined) lines.push(`${node} ${describeRemoval(removed)}`)
  else if (isolated) {
    lines.push(`${node} is isolated: no peer in reach for ${formatDuration(aloneMs)}`)
  }
  if (nameInUse !== undefined) lines.push(describeNameInUse(node, nameInUse))
  for (const twin of twins ?? []) lines.push(describeTwin(twin))
  const rows = nodes.map(one => [
    one.name,
    stateOf(one),
    one.addresses.join(' '),
    isHeard(one) ? String(one.clients) : '',
    changesCell(one, changes),
    one.links.join(' '),
    one.version,
    certificateCell(one, now),
  ])
  const head = ['NODE', 'STATE', 'ADDRESS', 'CLIENTS', 'CHANGES', 'LINKS', 'VERSION', 'CERTIFICATE']
  return [...lines, '', ...fleetLines(nodes, fleet, now), '', ...formatTable([head, ...rows])]
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
