import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { spawnProgram, type CliProcess } from '../support/cli.ts'
import { startCluster, type Cluster } from '../support/cluster.ts'

const CLIENT = 'fridge-client-001'

/** A node with one client on its list, and a thermometer that says what it is told. */
export interface Site {
  readonly cluster: Cluster
  /** Have the thermometer print a line. */
  readonly print: (line: string) => Promise<void>
  /** Start an example as the page of the examples says. */
  readonly run: (name: string, ...args: string[]) => CliProcess
}

/** @param first the first reading of the thermometer */
export async function startSite(t: ExecutionContext, first: string): Promise<Site> {
  const certs = await makeTestCerts(t, {
    nodes: ['node-1'],
    clients: [CLIENT],
    operators: ['admin'],
  })
  const lines = join(await makeTestFolder(t), 'lines')
  await writeFile(lines, `${first}\n`)
  const cluster = await startCluster(t, {
    certs,
    config: {
      sensors: {
        temperature: {
          driver: 'command',
          kind: 'temperature',
          command: ['tail', '-n', '+1', '-f', lines],
        },
        door: { driver: 'simulated' },
      },
    },
  })
  t.teardown(() => cluster[Symbol.asyncDispose]())
  await cluster.grant(1, CLIENT)
  return {
    cluster,
    print: line => appendFile(lines, `${line}\n`),
    run: (name, ...args) =>
      spawnProgram(
        t,
        [fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url)), ...args],
        { env: { FRIDGE_CERTS: certs.dir, FRIDGE_NODE: cluster.address(1) } },
      ),
  }
}
