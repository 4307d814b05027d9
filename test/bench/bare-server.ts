import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { reportTo } from './server-process.ts'

/**
 * The least that Node.js can do: mutual TLS, and the first bytes that a client of a node is sent.
 *
 *   bare-server.ts CA CERTIFICATE KEY
 */
const [ca = '', cert = '', key = ''] = process.argv.slice(2)

const opts = { writable: true, readable: true }
const FIRST_BYTES = Buffer.from(
  [
    ['00000000000000d0', 'new', { meta: 'door', opts }],
    ['00000000000000d0', 'data', `${JSON.stringify(['close', Date.now()])}\n`],
    ['00000000000000f0', 'new', { meta: 'temperature', opts }],
    ['00000000000000f0', 'data', `${JSON.stringify(['reading', 4, 'C'])}\n`],
  ]
    .map(frame => `${JSON.stringify(frame)}\n`)
    .join(''),
)

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
server.listen(0, '127.0.0.1', () => {
  reportTo(process, (server.address() as AddressInfo).port, async () => {
    for (const socket of sockets) socket.destroy()
  })
})
