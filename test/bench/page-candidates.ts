import { randomUUID } from 'node:crypto'
import { eventSource, filesOf, NODE, type Candidate } from './candidates.ts'
import { startServer, type MeasuredServer } from './server-process.ts'
import type { Site } from './site.ts'

/** A page of an origin that the sensor is public for, on a node. */
export const OUR_PAGES: Candidate = {
  title: 'fridge node, pages',
  protocol: 'page',
  start: async (site, control) => {
    const temperature = {
      driver: 'command',
      kind: 'temperature',
      command: eventSource(control),
      minIntervalMs: 0,
    }
    const data = await site.dataFolder(randomUUID())
    const web = { listen: '127.0.0.1:0', maxConnections: 100_000, maxPagesPerAddress: 100_000 }
    const config = await site.writeConfig(NODE, { data, sensors: { temperature }, web })
    return startServer('page-server.ts', [config, site.certs.dir])
  },
}

export const STOCK_SOCKET_IO = stock('socket.io')
export const STOCK_WS = stock('ws')

function stock(library: 'socket.io' | 'ws'): Candidate {
  return {
    title: `stock ${library}`,
    protocol: 'page',
    start: async (site: Site, control?: string): Promise<MeasuredServer> => {
      const { server } = await filesOf(site)
      const files = [server.certificateFile, server.keyFile]
      return startServer('stock-page-server.ts', [library, ...files, ...eventSource(control)])
    },
  }
}
