import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { reportTo } from './server-process.ts'

/**
 * The least that Node.js can do: mutual TLS, the first bytes that a client of a node is sent, and
 * then the bytes of an event for each line of a program, without knowing what they are.
 *
 *   bare-server.ts CA CERTIFICATE KEY COMMAND…
 */
const [ca = '', cert = '', key = '', command = '', ...args] = process.argv.slice(2)

const opts = { writable: true, readable: true }
const EVENT = ['00000000000000f0', 'data', `${JSON.stringify(['reading', 4.56, 'C'])}\n`]
const FIRST_BYTES = Buffer.from(
  [
    ['00000000000000d0', 'new', { meta: 'door', opts }],
    ['00000000000000d0', 'data', `${JSON.stringify(['close', Date.now()])}\n`],
    ['00000000000000f0', 'new', { meta: 'temperature', opts }],
    EVENT,
  ]
    .map(lineOf)
    .join(''),
)

function lineOf(frame: unknown): string {
  return `${JSON.stringify(frame)}\n`
}

const sockets = new Set<TLSSocket>()
const server = createServer(
  {
    ca: readFileSync(ca),
    cert: readFileSync(cert),
    key: readFileSync(key),
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: true,
  },
  socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
    socket.write(FIRST_BYTES)
  },
)
const program = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
program.stdout.on('data', (chunk: Buffer) => {
  const lines = chunk.toString('latin1').split('\n').length - 1
  const bytes = Buffer.from(lineOf(EVENT).repeat(lines))
  for (const socket of sockets) socket.write(bytes)
})
server.listen(0, '127.0.0.1', () => {
  reportTo(process, (server.address() as AddressInfo).port, async () => {
    program.kill()
    for (const socket of sockets) socket.destroy()
  })
})
