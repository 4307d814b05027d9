import { describeRule } from '../../node/alarms/alarm.ts'
import { formatAddress, readAddress, type Address } from '../../node/lib/address.ts'
import { errorCode, errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { explainConnectionError } from '../../node/client/tls-problem.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import type { Name } from '../../node/identity/names.ts'
import { commandOf } from '../../node/gossip/lost-changes.ts'
import type { CheckpointReport } from '../../node/operators/checkpoints.ts'
import type { Fleet } from '../../node/client/operator/vitals-answers.ts'
import type { StatusReport } from '../../node/operators/status.ts'
import { dialNode } from '../../node/port/transport.ts'
import { formatDuration, formatRemaining } from '../duration.ts'
import type { CommandIo } from '../io.ts'
import { describeUnknown, isKnown } from '../output/fleet.ts'
import { count } from '../table.ts'
import { describeMissing, describeWaiting, PUT_BACK, SHOW_ANOTHER } from '../beginning.ts'
import { describeLost } from '../lost.ts'
import { describeRemoval, FORKED, RENAME } from '../removal.ts'
import { describeNameInUse, describeTwin, RENAME_ONE } from '../twins.ts'
import type { Checkup } from './checkup.ts'
import { reach } from './path.ts'

/** Further apart than this, grants end noticeably early or late. */
const MAX_SKEW_MS = 30_000

/** More changes behind the last checkpoint make another one due. */
const MAX_BEHIND = 100_000

/** So does its age, in milliseconds: a year. */
const MAX_CHECKPOINT_AGE_MS = 365 * 86_400_000

type Io = Pick<CommandIo, 'clock' | 'signal'>

/**
 * Every node at these addresses, through the first that answers an operator the cluster, and then
 * every other node that this one sees.
 */
export async function checkNodes(
  nodes: readonly Address[],
  credentials: Credentials,
  checkup: Checkup,
  io: Io,
): Promise<void> {
  const asked = new Set<string>()
  const inReach = new Map<Name, readonly string[]>()
  let isClusterSeen = false
  const hear = ({ status, checkpoint, fleet }: Answers): void => {
    const now = io.clock.now()
    asked.add(status.node)
    if (inReach.size === 0) checkCheckpoint(checkpoint, checkup, now)
    for (const { name, reachable, addresses } of status.nodes) {
      if (reachable && !inReach.has(name)) inReach.set(name, addresses)
    }
    // Each node knows its own losses alone.
    for (const one of status.lost ?? []) {
      checkup.bad('changes', `${status.node} ${describeLost(one)}`, commandOf(one, now))
    }
    checkBeginning(status, checkup)
    // It is the others that are well: what a node that is out sees of them says nothing about them.
    if (status.removed !== undefined) {
      checkup.bad('cluster', `${status.node} ${describeRemoval(status.removed)}`, RENAME)
    } else if (status.forked === true) {
      checkup.bad('cluster', `${status.node} ${FORKED}`, RENAME)
    } else if (!isClusterSeen) {
      checkCluster(status, checkup, now)
      checkFridges(status, fleet, checkup, now)
      isClusterSeen = true
    }
  }
  for (const address of nodes) {
    const answers = await checkup.attempt(`node ${formatAddress(address)}`, async () =>
      checkNode(address, credentials, checkup, io),
    )
    if (answers !== undefined) hear(answers)
  }
  for (const [name, addresses] of inReach) {
    if (asked.has(name) || !isClusterSeen) continue
    const answers = await askLearned(name, addresses, credentials, checkup, io)
    if (answers !== undefined) hear(answers)
  }
}

/** Ask a node that another one sees, at the first of its addresses that leads there. */
async function askLearned(
  name: Name,
  addresses: readonly string[],
  credentials: Credentials,
  checkup: Checkup,
  io: Io,
): Promise<Answers | undefined> {
  const reasons: string[] = []
  for (const text of addresses) {
    const address = readAddress(text)
    if (address === undefined) continue
    try {
      return await checkNode(address, credentials, checkup, io)
    } catch (error) {
      if (errorCode(error) !== 'ERR_UNREACHABLE') {
        const fix = error instanceof FridgeError ? error.fix : undefined
        checkup.bad(`node ${text}`, errorMessage(error), fix)
        return undefined
      }
      reasons.push(errorMessage(error))
    }
  }
  // Nodes may have a network of their own: that is no illness.
  const why = reasons.length === 0 ? 'it names no address' : reasons.join('; ')
  checkup.good(`node ${name}`, `the others reach it, and this machine does not: ${why}`)
  return undefined
}

/** Each node knows by itself alone where its list begins, and what of its log is missing. */
function checkBeginning(
  { node, lackingWitnesses, missingArchives }: StatusReport,
  checkup: Checkup,
): void {
  if (lackingWitnesses !== undefined) {
    checkup.bad('cluster', `${node} ${describeWaiting(lackingWitnesses)}`, SHOW_ANOTHER)
  }
  if (missingArchives !== undefined) {
    checkup.bad('database', `${node} ${describeMissing(missingArchives)}`, PUT_BACK)
  }
}

/** What a node says to an operator. */
interface Answers {
  readonly status: StatusReport
  readonly checkpoint: CheckpointReport
  readonly fleet: Fleet
}

/** @returns what the node says of the cluster and of checkpoints, to an operator */
async function checkNode(
  address: Address,
  credentials: Credentials,
  checkup: Checkup,
  io: Io,
): Promise<Answers | undefined> {
  const { clock, signal } = io
  const { role, subject } = credentials.identity
  const at = formatAddress(address)
  if (role === 'node') {
    const { caFile, certificateFile } = credentials.files
    const attempt = { address: at, host: address.host, caFile, certificateFile }
    const dialed = await reach(address, io, async () =>
      dialNode(at, { credentials, clock, signal }),
    ).catch((error: unknown) => {
      throw explainConnectionError(error, attempt)
    })
    dialed.socket.destroy()
    checkup.good(`node ${at}`, `${dialed.peer.name} answers`)
    return undefined
  }
  await using connection = await reach(address, io, async () =>
    openNodeConnection({ address, credentials, clock, signal }),
  )
  checkup.good(`node ${at}`, `${connection.node} answers ${subject}`)
  if (role === 'client') return undefined
  const operator = new OperatorConnection(connection, credentials, { clock })
  const askedAt = clock.now()
  const theirs = await operator.clock()
  // The answer was given at some moment in between.
  const answeredAt = clock.now()
  const skewMs = Math.max(askedAt - theirs, theirs - answeredAt, 0)
  const text = `${connection.node} and this machine are ${formatDuration(skewMs)} apart`
  if (skewMs <= MAX_SKEW_MS) checkup.good('clock', text)
  else
    checkup.bad(
      'clock',
      text,
      'set the clock that is wrong, and keep it so: timedatectl set-ntp true',
    )
  return {
    status: await operator.status(),
    checkpoint: await operator.checkpoint(),
    fleet: await operator.vitals(),
  }
}

/** What `status` calls wrong of the fridges: sensors of which nothing is known, alarms that stand. */
function checkFridges({ nodes }: StatusReport, fleet: Fleet, checkup: Checkup, now: number): void {
  const before = checkup.findings.length
  for (const { name, reachable, addresses } of nodes) {
    const vitals = reachable ? fleet.get(name) : undefined
    const { sensors = [], alarms = [], unrecorded, untold } = vitals ?? {}
    if (unrecorded !== undefined) {
      const text = `the history of ${name} is not recorded: ${unrecorded}`
      checkup.bad('fridges', text, 'look at the log there: it says what mends it')
    }
    if (untold !== undefined) {
      const text = `alarms of ${name} reach not all who are to be told: ${untold}`
      checkup.bad('fridges', text, 'look at alarms in its configuration, and at the log there')
    }
    for (const one of sensors.filter(sensor => !isKnown(sensor))) {
      const { sensor } = one
      const isSaid = alarms.some(alarm => alarm.rule === 'unavailable' && alarm.sensor === sensor)
      if (isSaid) continue
      const text = `${sensor} of ${name}: ${describeUnknown(one, now)}`
      checkup.bad('fridges', text, 'look at the device, and at the log there')
    }
    for (const alarm of alarms) {
      const about = alarm.about === undefined ? `${alarm.sensor} of ${name}` : alarm.about
      const where = addresses[0] === undefined ? '' : ` --node ${addresses[0]}`
      const fix = alarm.isAcknowledged ? undefined : `fridge alarms acknowledge ${alarm.id}${where}`
      const noted = alarm.isAcknowledged ? ', acknowledged' : ''
      checkup.bad('fridges', `alarm: ${about}: ${describeRule(alarm)}${noted}`, fix)
    }
  }
  if (checkup.findings.length > before || fleet.size === 0) return
  checkup.good(
    'fridges',
    `every sensor of ${count(fleet.size, 'node')} is known, and no alarm stands`,
  )
}

/** Whether the list should be stated anew, so that what is behind that adds nothing. */
function checkCheckpoint(
  { newest, behind, former }: CheckpointReport,
  checkup: Checkup,
  now: number,
): void {
  const ageMs = newest === null ? 0 : now - newest.at
  const why =
    former.length > 0
      ? 'an authority that you no longer trust can still let somebody in: no checkpoint says so'
      : behind > MAX_BEHIND
        ? `${behind} changes have come since the last checkpoint`
        : ageMs > MAX_CHECKPOINT_AGE_MS
          ? `the last checkpoint is ${formatDuration(ageMs)} old`
          : undefined
  if (why !== undefined) checkup.bad('checkpoint', why, 'fridge whitelist checkpoint')
}

function checkCluster(status: StatusReport, checkup: Checkup, now: number): void {
  const { node, nodes, isolated, aloneMs, twins = [], nameInUse } = status
  const before = checkup.findings.length
  for (const twin of twins) checkup.bad('cluster', describeTwin(twin), RENAME_ONE)
  if (nameInUse !== undefined) {
    // Peers turn it away, so what it sees of them says nothing about them.
    return checkup.bad('cluster', describeNameInUse(node, nameInUse), RENAME_ONE)
  }
  const doubled = new Set<string>(twins.map(({ name }) => name))
  if (isolated) {
    checkup.bad(
      'cluster',
      `${node} has had no peer for ${formatDuration(aloneMs)}: its list may be stale`,
      `mend its network, or give it a peer: fridge node start --name ${node} --peer HOST:PORT`,
    )
  }
  const stopped = nodes.filter(one => one.left === true).map(({ name }) => name)
  for (const { name, reachable, certificateEndsAt, certificateRenewFrom, ...one } of nodes) {
    if (!reachable && (doubled.has(name) || one.left === true)) continue
    if (!reachable) {
      checkup.bad(
        'cluster',
        `${name} is out of reach`,
        `look there: fridge doctor --name ${name}; should it never be back: fridge node forget ${name}`,
      )
    } else if (now >= certificateRenewFrom) {
      const left = certificateEndsAt - now
      checkup.bad(
        'cluster',
        `the certificate of node/${name} ${left > 0 ? `ends in ${formatRemaining(left)}` : 'has expired'}`,
        `fridge certs renew node ${name}`,
      )
    }
  }
  if (checkup.findings.length === before) {
    const away = stopped.length === 0 ? '' : `; stopped in order: ${stopped.join(', ')}`
    const others = nodes.length - stopped.length
    checkup.good('cluster', `${node} sees ${count(others, 'node')}, all in reach${away}`)
  }
}
