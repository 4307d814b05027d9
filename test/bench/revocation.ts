import { setTimeout as delay } from 'node:timers/promises'
import { startNodeProcess, type NodeProcess } from '../../cli/commands/demo-nodes.ts'
import { connectOperator } from '../../cli/operator.ts'
import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import { parseAddress } from '../../node/lib/address.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { systemClock } from '../../node/lib/clock.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { quantile, type Bench, type BenchOptions } from './result.ts'
import { BENCH_IO, CLIENT, makeSite } from './site.ts'

const WAIT_MS = 30_000

/** Time for the cluster to come to rest, ms: a second after clients come, nodes tell of their number. */
const REST_MS = 1_500

/** From the operator's call to the moment at which the last of a client's connections is cut. */
export const measureRevocation: Bench = async options => {
  const rows = [['nodes', 'rounds', 'what', 'median', 'p99', 'slowest']]
  const rounds = options.quick ? 10 : 100
  for (const size of [5, 20]) {
    const samples = await measureCluster(size, rounds, options)
    const describe = (what: string, times: readonly number[]): string[] => [
      String(size),
      String(rounds),
      what,
      ...[0.5, 0.99, 1].map(share => `${quantile(times, share).toFixed(1)} ms`),
    ]
    rows.push(
      describe(
        'durable on the accepting node',
        samples.map(({ first }) => first),
      ),
      describe(
        'last connection cut, as the client sees it',
        samples.map(({ lastCut }) => lastCut),
      ),
      describe(
        'every node confirmed to the operator',
        samples.map(({ confirmed }) => confirmed),
      ),
    )
  }
  return [{ title: 'Revocation, from the call of the operator', rows }]
}

interface Sample {
  /** Until the operator heard from the accepting node, ms. */
  readonly first: number
  /** Until the last connection had ended at the client, ms. */
  readonly lastCut: number
  /** Until the operator had heard from every node, ms. */
  readonly confirmed: number
}

async function measureCluster(
  size: number,
  rounds: number,
  { progress }: BenchOptions,
): Promise<Sample[]> {
  const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  progress(`starting ${size} nodes`)
  await using stack = new AsyncDisposableStack()
  const site = stack.use(await makeSite(names))
  const nodes: NodeProcess[] = []
  for (const name of names) {
    const peers = nodes.slice(0, 2).map(({ address }) => address)
    const config = await site.writeConfig(name, { peers })
    nodes.push(stack.use(await startNodeProcess(name, ['--config', config], BENCH_IO)))
  }
  const client = await site.certs.load('client', CLIENT)
  const operators: OperatorConnection[] = []
  for (const { address } of nodes) {
    const target = { certs: site.certs.dir, node: [address] }
    operators.push(stack.use(await connectOperator(target, BENCH_IO)))
  }
  progress(`${rounds} rounds over ${size} nodes`)
  const samples: Sample[] = []
  for (let round = 0; round < rounds; round += 1) {
    // Every node takes its turn to accept the change.
    const operator = operators[round % size]
    if (operator !== undefined) samples.push(await revokeOnce(operator, nodes, client))
  }
  return samples
}

async function revokeOnce(
  operator: OperatorConnection,
  nodes: readonly NodeProcess[],
  credentials: Credentials,
): Promise<Sample> {
  const subject = parseSubject(CLIENT)
  const granted = await operator.change({ kind: 'grant', subject, terms: {} }, { waitMs: WAIT_MS })
  if (granted.confirmed.length < nodes.length) throw new Error('the cluster is not whole')
  const connections = await Promise.all(
    nodes.map(async ({ address }) =>
      openNodeConnection({ address: parseAddress(address), credentials, clock: systemClock }),
    ),
  )
  await delay(REST_MS)
  const startedAt = performance.now()
  const elapsed = (): number => performance.now() - startedAt
  let first: number | undefined
  const change = operator.change(
    { kind: 'revocation', subject },
    { waitMs: WAIT_MS, onConfirmed: () => (first ??= elapsed()) },
  )
  const cuts = await Promise.all(
    connections.map(async ({ ended }) => {
      const why = await ended
      if (why.code !== 'ERR_REVOKED') throw why
      return elapsed()
    }),
  )
  await change
  return { first: first ?? Number.NaN, lastCut: Math.max(...cuts), confirmed: elapsed() }
}
