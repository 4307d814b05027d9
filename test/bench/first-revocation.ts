import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { median, type BenchOptions, type Table } from './result.ts'
import { BENCH_IO } from './site.ts'

const CLIENT = 'fridge-client-001'

/** What a person types behind `npm ci` until a client is cut, in the order of README. */
const STEPS = [
  ['fridge certs init', ['certs', 'init']],
  ['fridge certs issue node', ['certs', 'issue', 'node', 'node-1']],
  ['fridge certs issue client', ['certs', 'issue', 'client', CLIENT]],
  ['fridge node start, to its ready line', ['node', 'start', '--name', 'node-1']],
  ['fridge whitelist add', ['whitelist', 'add', CLIENT]],
  ['fridge client watch, to its first event', ['client', 'watch']],
  ['fridge whitelist remove, until the client has ended', ['whitelist', 'remove', CLIENT]],
] as const

/** From nothing to the first live revocation, from the sources, with a cache of compiled code that is empty at first. */
export async function measureFirstRevocation({ quick, progress }: BenchOptions): Promise<Table> {
  const rounds = quick ? 1 : 5
  const times = STEPS.map((): number[] => [])
  for (let round = 0; round < rounds; round += 1) {
    progress(`first revocation, round ${round + 1}`)
    const took = await revokeOnce()
    for (const [index, ms] of took.entries()) times[index]?.push(ms)
  }
  const rows = STEPS.map(([title], index) => [title, seconds(times[index] ?? [])])
  const whole = Array.from({ length: rounds }, (_, round) =>
    times.reduce((sum, of) => sum + (of[round] ?? 0), 0),
  )
  return {
    title: `From npm ci to the first live revocation, without the typing (${rounds} rounds)`,
    rows: [['step', 'median'], ...rows, ['all', seconds(whole)]],
  }
}

/** @returns how long each step took, in milliseconds */
async function revokeOnce(): Promise<number[]> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'fridge-bench-'))
  stack.defer(async () => rm(folder, { recursive: true, force: true }))
  // The node listens where there is room: others may use what a person would type.
  let address = ''
  const start = (args: readonly string[]): ChildProcess => {
    const [command, ...flags] = BENCH_IO.self
    const isServing = args[1] === 'start'
    const more = isServing
      ? ['--listen', '127.0.0.1:0', '--web', 'off', '--metrics', 'off']
      : args[0] === 'certs'
        ? []
        : ['--node', address]
    const child = spawn(command, [...flags, ...args, ...more], {
      cwd: folder,
      env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'cache') },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    stack.defer(async () => {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    })
    return child
  }
  const took: number[] = []
  let watching: ChildProcess | undefined
  for (const [title, args] of STEPS) {
    const startedAt = performance.now()
    const child = start(args)
    const ended = once(child, 'exit')
    if (args[1] === 'start' || args[1] === 'watch') {
      if (child.stdout === null) throw new Error(`${title} prints nothing`)
      const [line] = (await Promise.race([
        once(createInterface(child.stdout), 'line'),
        ended.then(([status]) => Promise.reject(new Error(`${title} ended with ${status}`))),
      ])) as [string]
      if (args[1] === 'watch') watching = child
      else address = line.split(' ').at(-1) ?? ''
    } else {
      const [status] = (await ended) as [number]
      if (status !== 0) throw new Error(`${title} ended with ${status}`)
      if (args[1] === 'remove' && watching?.exitCode === null) await once(watching, 'exit')
    }
    took.push(performance.now() - startedAt)
  }
  return took
}

function seconds(times: readonly number[]): string {
  return `${(median(times) / 1_000).toFixed(2)} s`
}
