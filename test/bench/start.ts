import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { fillList } from './filled-list.ts'
import { NODE_FLAGS } from './node-flags.ts'
import { memoryOf } from './process-memory.ts'
import { median, type Bench } from './result.ts'
import { BENCH_IO, makeSite, type Site } from './site.ts'

const NODE = 'node-1'
const SIZES = [0, 1_000, 10_000, 100_000]

/** A command line without arguments. */
export type Program = readonly [string, ...string[]]

/** From the start of one node's process to its ready line, and what it then holds in memory. */
export const measureStart: Bench = async ({ quick, progress }) => {
  await using site = await makeSite([NODE])
  progress('compiling')
  const compiled = await compile(site)
  const credentials = {
    operator: await site.certs.load('operator', 'admin'),
    node: await site.certs.load('node', NODE),
  }
  const rounds = quick ? 3 : 11
  const rows = [['names on the list', 'program', 'median', 'slowest', 'resident memory']]
  for (const names of SIZES) {
    progress(`${names} names`)
    const data = await site.dataFolder(`list-of-${names}`)
    if (names > 0) fillList({ data, names, ...credentials })
    const config = await site.writeConfig(NODE, { data })
    const programs: (readonly [string, Program])[] = [['compiled', compiled]]
    if (names === 0) programs.unshift(['sources', BENCH_IO.self])
    for (const [title, program] of programs) {
      const starts: Start[] = []
      for (let round = 0; round < rounds; round += 1) starts.push(await startOnce(program, config))
      const times = starts.map(({ ms }) => ms)
      rows.push([
        names.toLocaleString('en'),
        title,
        `${median(times).toFixed(0)} ms`,
        `${Math.max(...times).toFixed(0)} ms`,
        `${(median(starts.map(({ bytes }) => bytes)) / 2 ** 20).toFixed(0)} MiB`,
      ])
    }
  }
  return [{ title: `Start of one node to its ready line (${rounds} starts each)`, rows }]
}

/** The program as it is published. */
export async function compile({ folder }: Site): Promise<Program> {
  const out = join(folder, 'program')
  const bin = join(BENCH_IO.cwd, 'node_modules/.bin')
  await mkdir(out)
  await cp(join(BENCH_IO.cwd, 'package.json'), join(out, 'package.json'))
  await symlink(join(BENCH_IO.cwd, 'node_modules'), join(out, 'node_modules'))
  const build = ['--project', join(BENCH_IO.cwd, 'tsconfig.build.json')]
  await promisify(execFile)(join(bin, 'tsc'), [...build, '--outDir', join(out, 'dist')])
  return [process.execPath, ...NODE_FLAGS, join(out, 'dist/cli/main.js')]
}

interface Start {
  readonly ms: number
  readonly bytes: number
}

export async function startOnce(program: Program, config: string): Promise<Start> {
  const startedAt = performance.now()
  await using node = await startProgram(program, config)
  const ms = performance.now() - startedAt
  const { resident: bytes } = await memoryOf(node.pid)
  return { ms, bytes }
}

/** A node as a process of its own. */
interface NodeProcess extends AsyncDisposable {
  readonly pid: number | undefined
  /** `HOST:PORT`. */
  readonly address: string
}

/** Start a node, and wait for its ready line. */
export async function startProgram(program: Program, config: string): Promise<NodeProcess> {
  const [command, ...args] = program
  const child = spawn(command, [...args, 'node', 'start', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exit.then(([status]) => Promise.reject(new Error(`the node ended with ${status}`))),
  ])) as [string]
  return {
    pid: child.pid,
    address: line.split(' ').at(-1) ?? '',
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await exit
    },
  }
}
