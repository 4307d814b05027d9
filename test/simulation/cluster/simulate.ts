import { makePeople } from '../../support/replica-people.ts'
import { formatPlan } from './plan.ts'
import { runCluster, stepsOf, type ClusterOptions } from './schedule.ts'
import { shrink } from './shrink.ts'

export interface SimulateOptions {
  readonly nodes: number
  /** The first seed. */
  readonly first: number
  readonly count: number
  /** The steps that are taken of each plan. Default all. */
  readonly kept?: ReadonlySet<number> | undefined
  /** Whether a schedule that fails is run again with fewer and fewer steps. */
  readonly shrinks: boolean
  readonly print: (text: string) => void
}

/** The names of the nodes of a simulated cluster. */
export function clusterNames(nodes: number): string[] {
  return Array.from({ length: nodes }, (_, index) => `n${index + 1}`)
}

/**
 * Run schedules of whole clusters until one fails; then leave out of it what it fails without, and
 * print what is left, with the command that runs it again.
 * @returns whether one has failed
 */
export async function simulateClusters(options: SimulateOptions): Promise<boolean> {
  const { nodes, first, count, kept, print } = options
  const names = clusterNames(nodes)
  const cluster: ClusterOptions = { people: await makePeople({ nodes: names }), names, kept }
  const total = new Map<string, number>()
  for (let seed = first; seed < first + count; seed += 1) {
    try {
      for (const [what, much] of Object.entries(await runCluster(seed, cluster))) {
        if (what !== 'seed') total.set(what, (total.get(what) ?? 0) + (much as number))
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error
      print(error.message)
      if (options.shrinks) await printShrunk(seed, cluster, nodes, print)
      return true
    }
  }
  print(`${count} schedules of ${nodes} nodes, all promises kept:`)
  for (const [what, much] of total) print(`  ${what}: ${much}`)
  return false
}

async function printShrunk(
  seed: number,
  cluster: ClusterOptions,
  nodes: number,
  print: (text: string) => void,
): Promise<void> {
  let why = ''
  const fails = async (kept: ReadonlySet<number>): Promise<boolean> => {
    try {
      await runCluster(seed, { ...cluster, kept })
      return false
    } catch (error) {
      if (error instanceof Error) why = error.message
      return true
    }
  }
  const steps = await shrink(
    stepsOf(seed, cluster).map(([index]) => index),
    fails,
  )
  const kept = new Set(steps)
  if (!(await fails(kept))) return print('it does not fail again')
  print(`\n${steps.length} steps are enough:\n${why}`)
  if (steps.length === 0) print(formatPlan([]))
  const keep = steps.length === 0 ? 'none' : steps.join()
  print(`\nSEED=${seed} npm run simulate -- --nodes ${nodes} --keep ${keep}`)
}
