import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { ClientProtocol } from './broker-protocols.ts'
import { startMosquittoServer, startNatsServer } from './brokers.ts'
import { fillList } from './filled-list.ts'
import { startServer, type MeasuredServer } from './server-process.ts'
import { CLIENT, type CertificateFiles, type Site } from './site.ts'

/** The node that a site of these benches has. */
export const NODE = 'node-1'

/** A server that is measured beside the others. */
export interface Candidate {
  readonly title: string
  readonly protocol: ClientProtocol
  /**
   * @param control what its sensor is told by how many events to give (`openLoadControl`); where
   *   there is none, one reading is all
   * @returns undefined where its program is not installed
   */
  readonly start: (site: Site, control?: string) => Promise<MeasuredServer | undefined>
}

export const BARE: Candidate = {
  title: 'bare node:tls',
  protocol: 'plain',
  start: async (site, control) => {
    const files = serverFiles(await filesOf(site))
    return startServer('bare-server.ts', [...files, ...eventSource(control)])
  },
}

export const OURS: Candidate = {
  title: 'fridge node',
  protocol: 'plain',
  start: async (site, control) => {
    const data = await site.dataFolder(randomUUID())
    const operator = await site.certs.load('operator', 'admin')
    fillList({ data, names: 1, operator, node: await site.certs.load('node', NODE) })
    const temperature = {
      driver: 'command',
      kind: 'temperature',
      command: eventSource(control),
      minIntervalMs: 0,
    }
    const sensors = { door: { driver: 'simulated' }, temperature }
    const simulation = { doorOpensPerHour: 0 }
    const config = await site.writeConfig(NODE, { data, sensors, simulation })
    return startServer('our-server.ts', [config])
  },
}

export const STOCK: Candidate = {
  title: 'stock packages',
  protocol: 'plain',
  start: async (site, control) => {
    const files = serverFiles(await filesOf(site))
    return startServer('stock-server.ts', [...files, CLIENT, ...eventSource(control)])
  },
}

export const NATS: Candidate = {
  title: 'NATS',
  protocol: 'nats',
  start: async site => startNatsServer(await filesOf(site)),
}

export const MOSQUITTO: Candidate = {
  title: 'Mosquitto',
  protocol: 'mqtt',
  start: async site => startMosquittoServer(await filesOf(site)),
}

/** Where the files of the server's and the client's certificates are. */
export async function filesOf({ certs }: Site): Promise<CertificateFiles> {
  const { files: client } = await certs.load('client', CLIENT)
  const { files: server } = await certs.load('node', NODE)
  return { client, server }
}

function serverFiles({ server }: CertificateFiles): string[] {
  return [server.caFile, server.certificateFile, server.keyFile]
}

/** The program that the servers in Node.js read their temperatures from. */
export function eventSource(control: string | undefined): [string, ...string[]] {
  const file = join(import.meta.dirname, 'event-source.ts')
  return [process.execPath, file, ...(control === undefined ? [] : [control])]
}
