import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { Server } from 'socket.io'
import { WebSocketServer } from 'ws'
import { reportTo } from './server-process.ts'

/**
 * What a page would be served by otherwise: Socket.IO as it is, or `ws` alone, which is sent the same
 * text and knows nothing of it.
 *
 *   stock-page-server.ts socket.io|ws CERTIFICATE KEY COMMAND…     COMMAND prints a temperature a line
 */
const [library = '', cert = '', key = '', command = '', ...args] = process.argv.slice(2)
const http = createServer({
  cert: readFileSync(cert),
  key: readFileSync(key),
  minVersion: 'TLSv1.3',
})
let sequence = 0
const send = library === 'ws' ? serveWs() : serveSocketIo()

function serveSocketIo(): (celsius: number) => void {
  const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false })
  return celsius => {
    sequence += 1
    io.emit('event', 'temperature', 'reading', celsius, 'C', Date.now(), sequence)
  }
}

function serveWs(): (celsius: number) => void {
  const server = new WebSocketServer({ server: http, perMessageDeflate: false })
  server.on('connection', socket => {
    socket.on('error', () => {})
    socket.on('message', () => socket.send('40{}'))
  })
  return celsius => {
    sequence += 1
    const values = ['event', 'temperature', 'reading', celsius, 'C', Date.now(), sequence]
    const text = `42${JSON.stringify(values)}`
    for (const socket of server.clients) socket.send(text)
  }
}

const program = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
createInterface(program.stdout).on('line', line => send(Number(line)))
http.listen(0, '127.0.0.1', () => {
  reportTo(process, (http.address() as AddressInfo).port, async () => void program.kill())
})
