import type { Command } from 'commander'
import { commandOf } from '../../node/gossip/lost-changes.ts'
import type { NodeReport, StatusReport } from '../../node/operators/status.ts'
import type { CommandContext } from '../command.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { formatDuration, formatRemaining } from '../duration.ts'
import { formatMoment } from '../moment.ts'
import { describeLost } from '../lost.ts'
import { describeRemoval, FORKED } from '../removal.ts'
import { describeNameInUse, describeTwin } from '../twins.ts'
import { describeMissing, describeWaiting, PUT_BACK, SHOW_ANOTHER } from '../beginning.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { count, formatTable } from '../table.ts'
import { addTargetOptions, type TargetOptions } from '../target.ts'
import { connectOperator } from '../operator.ts'
import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import type { Fleet } from '../../node/client/operator/vitals-answers.ts'
import { fleetLines, isFleetWell, stateOf } from '../output/fleet.ts'

const DAY_MS = 86_400_000

/** How often the cluster is looked at with `--watch`, in milliseconds. */
const WATCH_MS = 2_000

export interface StatusOptions extends TargetOptions {
  readonly watch?: boolean
}

/** Fill `fridge status`. */
export function fillStatus(status: Command, { io, action }: CommandContext): void {
  addTargetOptions(status, 'operator')
    .option('--watch', 'show it anew every two seconds, until Ctrl-C')
    .addHelpText('after', HELP)
    .action(action((options: StatusOptions) => runStatus(options, io)))
}

/** @returns 0 all is well, 1 a node is out of reach or waits for others, a sensor has failed, a history is not recorded or an alarm stands */
export async function runStatus(options: StatusOptions, io: CommandIo): Promise<ExitStatus> {
  const view = options.watch === true ? await watch(options, io) : await look(options, io)
  return view.isWell ? EXIT.done : EXIT.notDone
}

/** The cluster and its fridges as one node sees them. */
interface ClusterView {
  readonly lines: readonly string[]
  readonly isWell: boolean
}

async function look(options: StatusOptions, io: CommandIo): Promise<ClusterView> {
  await using operator = await connectOperator(options, io)
  const view = await viewOf(operator, options, io)
  for (const line of view.lines) io.out(line)
  return view
}

/** Look again and again until the signal aborts; a node that is lost meanwhile is dialed anew. */
async function watch(options: StatusOptions, io: CommandIo): Promise<ClusterView> {
  let last: ClusterView | undefined
  while (!io.signal.aborted) {
    try {
      await using operator = await connectOperator(options, io)
      for (;;) {
        last = await viewOf(operator, options, io)
        io.redraw(last.lines)
        await io.clock.sleep(WATCH_MS, io.signal)
      }
    } catch (error) {
      if (io.signal.aborted) break
      // The first look says what is wrong as any command does.
      if (last === undefined || !isPassing(error)) throw error
      const at = formatMoment(io.clock.now())
      last = { ...last, isWell: false }
      if (options.json === true) io.err(foreignText(error.message))
      else io.redraw([`${at}: ${foreignText(error.message)}; what follows is old`, ...last.lines])
      await io.clock.sleep(WATCH_MS, io.signal).catch(() => undefined)
    }
  }
  return last ?? { lines: [], isWell: false }
}

/** Whether a node that could not be asked may answer soon. */
function isPassing(error: unknown): error is FridgeError {
  const codes: readonly string[] = ['ERR_UNREACHABLE', 'ERR_TIMEOUT', 'ERR_CLOSED']
  return error instanceof FridgeError && codes.includes(error.code)
}

async function viewOf(
  operator: OperatorConnection,
  { json = false }: StatusOptions,
  io: CommandIo,
): Promise<ClusterView> {
  const status = await operator.status()
  const fleet = await operator.vitals()
  const isWhole =
    status.removed === undefined &&
    status.forked === undefined &&
    status.lost === undefined &&
    status.twins === undefined &&
    status.nameInUse === undefined &&
    status.lackingWitnesses === undefined &&
    status.missingArchives === undefined &&
    status.nodes.every(({ reachable, left }) => reachable || left === true)
  const isWell = isWhole && isFleetWell(status.nodes, fleet)
  if (!json) return { lines: statusLines(status, fleet, io), isWell }
  const nodes = status.nodes.map(node => ({ ...node, vitals: fleet.get(node.name) ?? null }))
  return { lines: [JSON.stringify({ ...status, nodes })], isWell }
}

function statusLines(
  status: StatusReport,
  fleet: Fleet,
  { clock, columns }: Pick<CommandIo, 'clock' | 'columns'>,
): string[] {
  const { node, changes, subjects, aloneMs, isolated, removed, forked, lost, twins } = status
  const { nameInUse, lackingWitnesses, missingArchives, nodes } = status
  const now = clock.now()
  const lines = [
    `${node} knows ${count(nodes.length, 'node')}, ${count(subjects, 'name')}, ${count(changes, 'change')}`,
  ]
  if (removed !== undefined) lines.push(`${node} ${describeRemoval(removed)}`)
  else if (forked === true) lines.push(`${node} ${FORKED}`)
  else if (isolated) {
    lines.push(`${node} is isolated: no peer in reach for ${formatDuration(aloneMs)}`)
  }
  if (lackingWitnesses !== undefined) {
    lines.push(`${node} ${describeWaiting(lackingWitnesses)}`, `  to mend it: ${SHOW_ANOTHER}`)
  }
  if (missingArchives !== undefined) {
    lines.push(`${node} ${describeMissing(missingArchives)}`, `  to mend it: ${PUT_BACK}`)
  }
  if (nameInUse !== undefined) lines.push(describeNameInUse(node, nameInUse))
  for (const twin of twins ?? []) lines.push(describeTwin(twin))
  for (const one of lost ?? []) {
    lines.push(`${node} ${describeLost(one)}`, `  to mend it: ${commandOf(one, now)}`)
  }
  const rows = nodes.map(one => [
    one.name,
    stateOf(one),
    one.addresses.join(' '),
    one.clients === undefined ? '' : String(one.clients),
    changesCell(one, changes),
    one.links.join(' '),
    one.version,
    certificateCell(one, now),
  ])
  const head = ['NODE', 'STATE', 'ADDRESS', 'CLIENTS', 'CHANGES', 'LINKS', 'VERSION', 'CERTIFICATE']
  const table = formatTable([head, ...rows], columns)
  return [...lines, '', ...fleetLines(nodes, fleet, now, columns), '', ...table]
}

/** Whether the node that answers has heard this one since its start: else it knows the name alone. */
function isHeard({ certificateEndsAt }: NodeReport): boolean {
  return certificateEndsAt > 0
}

function changesCell(node: NodeReport, all: number): string {
  if (node.changes === undefined) return node.reachable ? 'no answer' : ''
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
  return ms < DAY_MS ? formatRemaining(ms) : `${Math.ceil(ms / DAY_MS)} d`
}

const HELP = `
Every fridge comes first: what it reads, its door, its alarms, and a line for each thing that is wrong
with it. A node that stopped in order is left, which is well; one that is out of reach is not.

Exit status: 0 all is well, 1 a node is out of reach, a sensor has failed, a history is not recorded
or an alarm stands.

Examples:
  $ fridge status --node node-1.example.org:7443
  $ fridge status --watch`
