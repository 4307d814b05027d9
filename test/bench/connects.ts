import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { CredentialFiles } from '../../node/identity/credential-files.ts'

/** How many connections one process makes, and how. */
export interface ConnectsOrder {
  readonly port: number
  readonly connects: number
  /** With the ticket of an earlier session. */
  readonly resume: boolean
  readonly files: Pick<CredentialFiles, 'caFile' | 'certificateFile' | 'keyFile'>
}

/** Connections that are under way at the same time. */
const PARALLEL = 8

/** What the first event of the door holds, on the wire. */
const EVENT = '\\"close\\"'

/** Connect so often, each time until the first event comes, in a process of its own. */
export async function startConnects(order: ConnectsOrder): Promise<void> {
  const child = fork(import.meta.filename, [JSON.stringify(order)])
  const [status] = (await once(child, 'exit')) as [number | null]
  if (status !== 0) throw new Error(`the clients ended with ${status}`)
}

async function connectOnce(options: ConnectionOptions): Promise<Buffer | undefined> {
  const socket: TLSSocket = connect(options)
  let ticket: Buffer | undefined
  socket.on('session', session => {
    ticket = session
  })
  let heard = ''
  while (!heard.includes(EVENT)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    heard += chunk.toString('latin1')
  }
  if (options.session !== undefined && !socket.isSessionReused()) {
    throw new Error('the session was not resumed')
  }
  socket.end()
  await once(socket, 'close')
  return ticket
}

if (import.meta.main) {
  const { port, connects, resume, files } = JSON.parse(process.argv[2] ?? '') as ConnectsOrder
  const options: ConnectionOptions = {
    host: '127.0.0.1',
    port,
    ca: readFileSync(files.caFile),
    cert: readFileSync(files.certificateFile),
    key: readFileSync(files.keyFile),
    minVersion: 'TLSv1.3',
  }
  const session = resume ? await connectOnce(options) : undefined
  let left = connects
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await connectOnce({ ...options, ...(session && { session }) })
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
}
