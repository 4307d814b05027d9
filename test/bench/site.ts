import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandIo } from '../../cli/io.ts'
import { systemClock } from '../../node/lib/clock.ts'
import type { CredentialFiles } from '../../node/identity/credential-files.ts'
import { NODE_FLAGS } from './node-flags.ts'
import { makeTestCerts, type TestCerts } from '../support/certs.ts'

/** The folder of this version. */
export const ROOT = join(import.meta.dirname, '../..')

/** The command line as a bench runs it: silent, from the sources. */
export const BENCH_IO: CommandIo = {
  out: () => {},
  err: () => {},
  log: () => {},
  serveUnheard: () => {},
  progress: () => {},
  redraw: () => {},
  readInput: async () => '',
  noteDone: () => {},
  hasColours: false,
  isLogRead: false,
  env: process.env,
  cwd: ROOT,
  signal: new AbortController().signal,
  clock: systemClock,
  onReload: () => ({ [Symbol.dispose]: () => {} }),
  self: commandOf(ROOT),
}

/** The command of another checkout of this project, run by the same Node.js. */
export function commandOf(root: string): CommandIo['self'] {
  return [process.execPath, ...NODE_FLAGS, join(root, 'cli/main.ts')]
}

/** Limits that a bench must not run into: all its clients come from one address with one name. */
const RAISED = {
  tls: {
    handshakesPerSecond: 100_000,
    handshakeBurst: 100_000,
    handshakesPerSecondTotal: 100_000,
    handshakeBurstTotal: 100_000,
  },
  limits: { maxConnectionsPerClient: 10_000 },
}

/** The client that every bench connects. */
export const CLIENT = 'bench-client'

/** Where the certificates of a server and its clients are. */
export interface CertificateFiles {
  readonly client: CredentialFiles
  readonly server: CredentialFiles
}

/** A folder with certificates and configurations of one bench. */
export interface Site extends AsyncDisposable {
  readonly folder: string
  readonly certs: TestCerts
  /** Write a configuration with raised limits. @returns its file */
  writeConfig(name: string, more?: object): Promise<string>
  /** The data folder of a node, made. */
  dataFolder(name: string): Promise<string>
}

export async function makeSite(nodes: readonly string[]): Promise<Site> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'fridge-bench-'))
  stack.defer(async () => rm(folder, { recursive: true, force: true }))
  const certs = await makeTestCerts(
    {
      teardown: task =>
        stack.defer(async () => {
          await task()
        }),
    },
    { nodes, clients: [CLIENT], operators: ['admin'] },
  )
  const dataFolder = async (name: string): Promise<string> => {
    const data = join(folder, 'data', name)
    await mkdir(data, { recursive: true })
    return data
  }
  const removing = stack.move()
  return {
    folder,
    certs,
    dataFolder,
    writeConfig: async (name, more = {}) => {
      const file = join(folder, `${name}.json`)
      const config = { name, listen: '127.0.0.1:0', certs: certs.dir, logLevel: 'warn' }
      const data = await dataFolder(name)
      await writeFile(file, JSON.stringify({ ...config, data, ...RAISED, ...more }))
      return file
    },
    [Symbol.asyncDispose]: async () => removing.disposeAsync(),
  }
}
