import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fillList } from './filled-list.ts'
import { measureFirstRevocation } from './first-revocation.ts'
import { measureManyNames } from './many-names.ts'
import { median, type Bench } from './result.ts'
import { BENCH_IO, makeSite } from './site.ts'
import { compile, startProgram, type Program } from './start.ts'

const NODE = 'node-1'
const NAMES = 100_000

/** What a person waits for: from the start of a command to its first line, and to its end. */
export const measureKeyboard: Bench = async options => {
  const { quick, progress } = options
  await using site = await makeSite([NODE])
  progress('compiling')
  const program = await compile(site)
  progress(`a list of ${NAMES.toLocaleString('en')} names`)
  const operator = await site.certs.load('operator', 'admin')
  const data = await site.dataFolder('long-list')
  fillList({ data, names: NAMES, operator, node: await site.certs.load('node', NODE) })
  await using node = await startProgram(program, await site.writeConfig(NODE, { data }))

  const rounds = quick ? 3 : 15
  const target = ['--node', node.address, '--certs', site.certs.dir, '--as', 'admin']
  const commands: readonly (readonly [string, readonly string[]])[] = [
    ['fridge --help', ['--help']],
    [
      `fridge whitelist list, of ${NAMES.toLocaleString('en')} names`,
      ['whitelist', 'list', ...target],
    ],
  ]
  const rows = [['command', 'first line, median', 'slowest', 'whole, median']]
  for (const [title, args] of commands) {
    progress(title)
    const runs: Run[] = []
    for (let round = 0; round < rounds; round += 1) runs.push(await runOnce(program, args))
    const firsts = runs.map(({ firstMs }) => firstMs)
    rows.push([
      title,
      `${median(firsts).toFixed(0)} ms`,
      `${Math.max(...firsts).toFixed(0)} ms`,
      `${median(runs.map(({ wholeMs }) => wholeMs)).toFixed(0)} ms`,
    ])
  }
  return [
    { title: `Commands as a person types them (${rounds} runs each)`, rows },
    await measureManyNames(program, options),
    await measureFirstRevocation(options),
  ]
}

export interface Run {
  readonly firstMs: number
  readonly wholeMs: number
}

/** Run a command as a person does. @throws when it fails */
export async function runOnce([command, ...flags]: Program, args: readonly string[]): Promise<Run> {
  const startedAt = performance.now()
  const child = spawn(command, [...flags, ...args], {
    cwd: BENCH_IO.cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  const lines = createInterface(child.stdout)
  await once(lines, 'line')
  const firstMs = performance.now() - startedAt
  lines.resume()
  const [status] = (await exit) as [number]
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}`)
  return { firstMs, wholeMs: performance.now() - startedAt }
}
