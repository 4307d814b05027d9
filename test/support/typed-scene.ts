import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../../node/lib/clock.ts'
import { makeTestFolder } from './certs.ts'
import { Lines, startCommand, type CommandRun, type IoOptions } from './cli.ts'
import { parseTypedLine } from './typed-line.ts'

/** The program as a person starts it from a checkout. */
const LAUNCHER = fileURLToPath(new URL('../../cli/fridge', import.meta.url))

/** What a node prints once it serves, with its address. */
export const READY = /^fridge node \S+ ready on (\S+)/

/** How long somebody who waits to see something waits before they look again. */
const LOOK_AGAIN_MS = 200

/** A command line of a document or a help text, with what must come of it. */
export interface Step {
  readonly line: string
  /** What it ends with. Default 0. */
  readonly status?: number | null
  /** Typed again until it ends with that, as by somebody who waits to see it. Default false. */
  readonly again?: boolean
  /** Of a command that lasts: what it says first. It is stopped then. */
  readonly says?: RegExp
  /** A line that it has printed when it has ended by itself. */
  readonly prints?: RegExp
  /** It goes on beside the lines behind it. Default false. */
  readonly stays?: boolean
  /** What it ends with, by itself, that stays. Default: it is stopped, and ends with 0. */
  readonly endsWith?: number
  /** What lines behind it call the address that it prints. */
  readonly at?: string
  /** A line that has stayed until this one is typed. */
  readonly ends?: string
  /** The folder below that of the scene in which it is typed. Default that of the scene. */
  readonly below?: string
  /** A line that stays, and what it says because of this one. */
  readonly tells?: { readonly line: string; readonly says: RegExp }
  /** Called with what it has said by then. */
  readonly heard?: (scene: Scene, said: string) => void
  /** What has happened elsewhere meanwhile. */
  readonly before?: (scene: Scene) => Promise<void>
}

/** Where lines are typed. */
export interface Scene {
  readonly folder: string
  readonly env: Record<string, string>
  /** What stands in lines, by what it is here: addresses, above all. */
  readonly here: Map<string, string>
  /** What comes by stdin. */
  input?: string
}

type Typed = Pick<CommandRun, 'out' | 'err' | 'stop'> & { readonly status: Promise<number | null> }

/** A machine with nothing on it but `fridge`, and a person who says yes to everything. */
export async function makeScene(t: ExecutionContext): Promise<Scene> {
  const folder = await makeTestFolder(t)
  await mkdir(join(folder, 'bin'))
  await symlink(LAUNCHER, join(folder, 'bin/fridge'))
  const env = {
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, '.config'),
    PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    FRIDGE_WEB: 'off',
    FRIDGE_LISTEN: '127.0.0.1:0',
  }
  return { folder, env, here: new Map() }
}

/**
 * Type lines, one after the other; what stays is stopped at the end.
 * @param through a program that starts the line which it is given elsewhere; without one it runs in
 *   this process, as far as it is `fridge` alone
 */
export async function play(
  t: ExecutionContext,
  scene: Scene,
  steps: readonly Step[],
  through: (step: Step) => readonly string[] | undefined = () => undefined,
): Promise<void> {
  const staying = new Map<string, Typed & { readonly endsWith: number | undefined }>()
  const end = async (line: string): Promise<void> => {
    const typed = staying.get(line)
    staying.delete(line)
    if (typed === undefined) throw new Error(`${line} does not run`)
    if (typed.endsWith === undefined) typed.stop()
    t.is(await typed.status, typed.endsWith ?? 0, `${line}: ${typed.err.text}`)
  }
  try {
    for (const step of steps) {
      const { line, says, stays = false, status = 0 } = step
      await mkdir(join(scene.folder, step.below ?? ''), { recursive: true })
      await step.before?.(scene)
      if (step.ends !== undefined) await end(step.ends)
      let typed = await type(scene, step, through(step))
      while (step.again === true && (await typed.status) !== status) {
        await systemClock.sleep(LOOK_AGAIN_MS)
        typed = await type(scene, step, through(step))
      }
      if (says !== undefined) await said(typed, says, line)
      if (step.at !== undefined) {
        scene.here.set(step.at, READY.exec(typed.out.all[0] ?? '')?.[1] ?? '')
      }
      if (stays) {
        staying.set(line, { ...typed, endsWith: step.endsWith })
        step.heard?.(scene, `${typed.out.text}\n${typed.err.text}`)
        continue
      }
      if (says !== undefined) typed.stop()
      t.is(await typed.status, status, `${line}: ${typed.err.text}\n${typed.out.text}`)
      if (step.prints !== undefined) await said(typed, step.prints, line)
      step.heard?.(scene, `${typed.out.text}\n${typed.err.text}`)
      if (step.tells === undefined) continue
      const told = staying.get(step.tells.line)
      if (told !== undefined) await said(told, step.tells.says, step.tells.line)
    }
  } finally {
    const left = [...staying.values()].reverse()
    for (const typed of left) {
      typed.stop()
      await typed.status
    }
  }
}

async function said({ out, err }: Typed, says: RegExp, line: string): Promise<void> {
  try {
    await Promise.any([out.find(says), err.find(says)])
  } catch (cause) {
    throw new Error(`${line} never says ${String(says)}:\n${out.text}\n${err.text}`, { cause })
  }
}

async function type(
  scene: Scene,
  { line, below = '' }: Step,
  through: readonly string[] | undefined,
): Promise<Typed> {
  const cwd = join(scene.folder, below)
  const [, variable, value = ''] = /^export (\w+)=(\S*)$/.exec(line) ?? []
  if (variable !== undefined) scene.env[variable] = value
  let meant = line
  for (const [written, here] of scene.here) meant = meant.replaceAll(written, here)
  const parsed = parseTypedLine(meant)
  const [program = '', ...args] = parsed?.words ?? []
  if (through !== undefined || !/(^|\/)fridge$/.test(program)) {
    return typeInShell(meant, { cwd, env: scene.env, through: through ?? [] })
  }
  const options: IoOptions = {
    cwd,
    env: scene.env,
    confirm: async () => true,
    askSecret: async () => 'a horse that nobody knows',
    ...(scene.input !== undefined && { input: scene.input }),
  }
  const run = startCommand(args, options)
  if (parsed?.into === undefined) return run
  const file = resolve(cwd, parsed.into.replace(/^~/, scene.folder))
  const status = run.status.then(async status => {
    await writeFile(file, `${run.out.text}\n`)
    return status
  })
  return { ...run, status }
}

function typeInShell(
  line: string,
  {
    cwd,
    env,
    through,
  }: { readonly cwd: string; readonly env: Scene['env']; readonly through: readonly string[] },
): Typed {
  // In the place of the shell, so that a signal reaches the last command of the line.
  const words = [...through, 'bash', '-e', '-o', 'pipefail', '-c', line]
  const [program = '', ...args] = words
  const child = spawn(program, args, {
    cwd,
    env: { ...env, FRIDGE_METRICS: 'off' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = [new Lines(), new Lines()]
  for (const [stream, lines] of [
    [child.stdout, out],
    [child.stderr, err],
  ] as const) {
    createInterface(stream)
      .on('line', text => lines.push(text))
      .on('close', () => lines.end())
  }
  const status = once(child, 'close').then(([status]) => status as number | null)
  return { out, err, status, stop: () => void child.kill() }
}
