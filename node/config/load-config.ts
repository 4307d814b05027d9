import { dirname, relative, resolve } from 'node:path'
import { formatAddress } from '../lib/address.ts'
import { nodeConfigSchema, type NodeConfig } from './config.ts'
import type { ConfigFile } from './config-file.ts'
import { configError } from './config-problem.ts'
import { withPassphrases } from './seal-config.ts'

/** What the command line says over file and environment; an absent field says nothing. */
export interface ConfigFlags {
  readonly name?: string | undefined
  readonly listen?: string | undefined
  readonly advertise?: readonly string[] | undefined
  readonly peers?: readonly string[] | undefined
  readonly certs?: string | undefined
  readonly data?: string | undefined
  readonly logLevel?: string | undefined
  /** `metrics.listen`. */
  readonly metrics?: string | undefined
  /** `web.listen`. */
  readonly web?: string | undefined
}

/** How each overridable key is called in the environment and on the command line. */
const OVERRIDES = [
  { key: 'name', variable: 'FRIDGE_NAME', flag: '--name', kind: 'text' },
  { key: 'listen', variable: 'FRIDGE_LISTEN', flag: '--listen', kind: 'text' },
  { key: 'advertise', variable: 'FRIDGE_ADVERTISE', flag: '--advertise', kind: 'list' },
  { key: 'peers', variable: 'FRIDGE_PEERS', flag: '--peer', kind: 'list' },
  { key: 'certs', variable: 'FRIDGE_CERTS', flag: '--certs', kind: 'folder' },
  { key: 'data', variable: 'FRIDGE_DATA', flag: '--data', kind: 'folder' },
  { key: 'logLevel', variable: 'FRIDGE_LOG_LEVEL', flag: '--log-level', kind: 'text' },
  { key: 'metrics', variable: 'FRIDGE_METRICS', flag: '--metrics', kind: 'listen' },
  { key: 'web', variable: 'FRIDGE_WEB', flag: '--web', kind: 'listen' },
] as const

/** Where a configuration comes from. */
export interface ConfigSources {
  /** One YAML or JSON file, relative to `cwd`. Folders named in it are relative to it. */
  readonly file?: string | undefined
  /** `FRIDGE_…` variables; lists are separated by commas, an empty variable says nothing. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly flags: ConfigFlags
  /** The folder that relative paths start from. */
  readonly cwd: string
}

/**
 * The configuration of a node: its file, the environment over it, the command line over both. A key
 * is replaced as a whole; lists are not joined.
 * @throws FridgeError `ERR_CONFIG` that names each place, what was found and what is allowed.
 */
export async function loadConfig(sources: ConfigSources): Promise<NodeConfig> {
  const { cwd } = sources
  const file = sources.file === undefined ? undefined : await readFileOf(sources.file, cwd)
  const values: Record<string, unknown> = { ...file?.values }
  const origins = new Map<PropertyKey, string>()
  for (const { key, variable, flag, kind } of OVERRIDES) {
    if (kind === 'folder' && typeof values[key] === 'string' && sources.file !== undefined) {
      values[key] = values[key] && resolve(cwd, dirname(sources.file), values[key])
    }
    const fromEnv = sources.env[variable] || undefined
    const fromFlag = sources.flags[key]
    if (fromFlag === undefined && fromEnv === undefined) continue
    const said = fromFlag ?? (kind === 'list' ? splitList(fromEnv ?? '') : fromEnv)
    values[key] = kind === 'listen' ? { ...groupOf(values[key]), listen: said } : said
    origins.set(key, fromFlag === undefined ? variable : flag)
  }
  const result = nodeConfigSchema.safeParse(values)
  const place = { origins, file, schema: nodeConfigSchema, values }
  if (!result.success) throw configError(result.error.issues, place)

  const config = result.data
  const { host, port } = config.listen
  if (config.advertise.length === 0 && (host === '0.0.0.0' || host === '::')) {
    const message = `the addresses that others reach this node at, because it listens on every one (${formatAddress(config.listen)})`
    throw configError([{ code: 'custom', path: ['advertise'], message }], place)
  }
  return {
    ...config,
    advertise: config.advertise.length > 0 || port === 0 ? config.advertise : [config.listen],
    web: withPaths(config.web, sources),
    seal: withPassphrases(config.seal, path => besideFile(sources, path)),
    certs: resolve(cwd, config.certs),
    data: resolve(cwd, config.data ?? `data/${config.name}`),
  }
}

async function readFileOf(file: string, cwd: string): Promise<ConfigFile> {
  const path = resolve(cwd, file)
  const short = relative(cwd, path)
  // Only now: a node that has no file would load what reads YAML.
  const { readConfigFile } = await import('./config-file.ts')
  return await readConfigFile(path, short.startsWith('..') ? path : short)
}

/** A group of the file, of which one key is replaced. Whether it is one, the schema says. */
function groupOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

/** Files that are named in the file of the configuration alone are relative to it. */
function besideFile({ file = '', cwd }: ConfigSources, path: string): string {
  return resolve(cwd, dirname(file), path)
}

function withPaths(web: NodeConfig['web'], sources: ConfigSources): NodeConfig['web'] {
  const { certificate, key, ...rest } = web
  if (certificate === undefined || key === undefined) return rest
  const files = { certificate: besideFile(sources, certificate), key: besideFile(sources, key) }
  return { ...rest, ...files }
}

function splitList(text: string): string[] {
  return text.split(',').map(item => item.trim())
}
