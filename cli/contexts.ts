import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { formatAddress, readAddress, type Address } from '../node/lib/address.ts'
import { errorCode, errorMessage, FridgeError } from '../node/lib/errors.ts'
import { nearest } from '../node/lib/nearest.ts'
import { isRecord } from '../node/lib/record.ts'
import { shellWord } from '../node/lib/shell-word.ts'
import type { CommandIo } from './io.ts'

/** A cluster under a name of the person's own: what the commands to it need not be told again. */
export interface Context {
  /** At least one; the first that answers serves. */
  readonly nodes: readonly Address[]
  /** The certificate folder, absolute. */
  readonly certs: string
  /** Whom to be, as `--as` takes it; the only one that there is where it is left out. */
  readonly as?: string | undefined
}

/** All contexts of a person, by their names. */
export interface Contexts {
  /** The name of the one that commands use; one of `all`. */
  readonly current?: string | undefined
  readonly all: ReadonlyMap<string, Context>
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const PRIVATE_FOLDER = 0o700
const PRIVATE_FILE = 0o600

/** @throws FridgeError `ERR_USAGE` */
export function parseContextName(text: string): string {
  if (NAME.test(text)) return text
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not the name of a context`, {
    fix: 'use 1 to 64 letters, digits, dots, hyphens and underscores, for example warehouse',
  })
}

/** Where contexts are kept (XDG Base Directory Specification); undefined for who has no home. */
export function contextsFile({ env, cwd }: Pick<CommandIo, 'env' | 'cwd'>): string | undefined {
  const home = env['HOME'] || undefined
  const folder = env['XDG_CONFIG_HOME'] || (home === undefined ? undefined : join(home, '.config'))
  return folder === undefined ? undefined : resolve(cwd, folder, 'fridge', 'contexts.json')
}

/** None where there is no file. @throws FridgeError `ERR_CONFIG` when it cannot be read or is damaged */
export async function readContexts(io: Pick<CommandIo, 'env' | 'cwd'>): Promise<Contexts> {
  const file = contextsFile(io)
  if (file === undefined) return { all: new Map() }
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR') return undefined
    throw new FridgeError('ERR_CONFIG', `${file} cannot be read: ${errorMessage(cause)}`, {
      cause,
      fix: `give yourself the right to read it: ls -l ${shellWord(file)}`,
    })
  })
  if (text === undefined) return { all: new Map() }
  const contexts = parseContexts(text)
  if (contexts !== undefined) return contexts
  throw new FridgeError('ERR_CONFIG', `${file} is damaged: it does not hold contexts`, {
    fix: `move it away and add them again: mv ${shellWord(file)} ${shellWord(`${file}.damaged`)}`,
  })
}

/** Whoever reads the file meanwhile sees the old text or the new. @throws FridgeError `ERR_CONFIG` */
export async function writeContexts(
  { current, all }: Contexts,
  io: Pick<CommandIo, 'env' | 'cwd'>,
): Promise<void> {
  const file = contextsFile(io)
  if (file === undefined) {
    throw new FridgeError('ERR_CONFIG', 'there is no place to keep contexts in', {
      fix: 'set HOME, or XDG_CONFIG_HOME to a folder',
    })
  }
  const contexts = Object.fromEntries(
    [...all].map(([name, { nodes, certs, as }]) => [
      name,
      { nodes: nodes.map(formatAddress), certs, as },
    ]),
  )
  const beside = `${file}.tmp`
  try {
    await mkdir(dirname(file), { recursive: true, mode: PRIVATE_FOLDER })
    await rm(beside, { force: true })
    const text = `${JSON.stringify({ current, contexts }, undefined, 2)}\n`
    await writeFile(beside, text, { mode: PRIVATE_FILE, flag: 'wx', flush: true })
    await rename(beside, file)
  } catch (cause) {
    throw new FridgeError('ERR_CONFIG', `${file} cannot be written: ${errorMessage(cause)}`, {
      cause,
      fix: `make room or give yourself the right to write there: ls -ld ${shellWord(dirname(file))}`,
    })
  }
}

/** @throws FridgeError `ERR_USAGE` with the nearest name there is */
export function findContext({ all }: Contexts, name: string): Context {
  const found = all.get(name)
  if (found !== undefined) return found
  const near = nearest(name, all.keys())
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  throw new FridgeError('ERR_USAGE', `there is no context ${JSON.stringify(name)}${hint}`, {
    fix:
      all.size === 0
        ? 'fridge context add NAME --node HOST:PORT'
        : `use one of ${[...all.keys()].join(', ')}`,
  })
}

/**
 * The environment of a command to a cluster: what it does not say itself, the context says. A context
 * that is named goes over the environment, the current one does not.
 * @param named by `--context` or `FRIDGE_CONTEXT`; `none` uses no context
 */
export async function withContext(
  named: string | undefined,
  io: Pick<CommandIo, 'env' | 'cwd'>,
): Promise<CommandIo['env']> {
  const { env } = io
  if (named === 'none') return env
  const contexts = await readContexts(io)
  const name = named ?? contexts.current
  if (name === undefined) return env
  const { nodes, certs, as } = findContext(contexts, name)
  const said = {
    FRIDGE_NODE: nodes.map(formatAddress).join(','),
    FRIDGE_CERTS: certs,
    FRIDGE_AS: as,
  }
  if (named !== undefined) return { ...env, ...said }
  const own = Object.entries(said).filter(([variable]) => (env[variable] ?? '') === '')
  return { ...env, ...Object.fromEntries(own) }
}

function parseContexts(text: string): Contexts | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(value) || !isRecord(value['contexts'])) return undefined
  const all = new Map<string, Context>()
  for (const [name, one] of Object.entries(value['contexts'])) {
    const context = parseContext(one)
    if (context === undefined || !NAME.test(name)) return undefined
    all.set(name, context)
  }
  const { current } = value
  if (current === undefined) return { all }
  return typeof current === 'string' && all.has(current) ? { current, all } : undefined
}

function parseContext(value: unknown): Context | undefined {
  if (!isRecord(value) || !Array.isArray(value['nodes'])) return undefined
  const { certs, as } = value
  const nodes = value['nodes'].map(readAddress).filter(node => node !== undefined)
  if (nodes.length === 0 || nodes.length < value['nodes'].length) return undefined
  if (typeof certs !== 'string' || (as !== undefined && typeof as !== 'string')) return undefined
  return { nodes, certs, as }
}
