import { spawn } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { createServer } from 'node:tls'
import { stockEmitter, stockMux } from '../support/wire-stock.ts'
import { reportTo } from './server-process.ts'

/**
 * The server of the article: `tls`, `mux-demux` and `duplex-emitter` as they are, one emitter for
 * each client and sensor, and a set of names for a whitelist.
 *
 *   stock-server.ts CA CERTIFICATE KEY CLIENT COMMAND…     COMMAND prints a temperature a line
 */
const [ca = '', cert = '', key = '', client = '', command = '', ...args] = process.argv.slice(2)
const whitelist = new Set([client])
const thermometers = new Set<EventEmitter>()

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
    socket.on('error', () => {})
    if (!whitelist.has(String(socket.getPeerCertificate().subject.CN))) return void socket.end()
    const mux = stockMux()
    mux.on('error', () => {})
    const streams = ['door', 'temperature'].map(name => mux.createStream(name))
    for (const stream of streams) stream.on('error', () => {})
    const [door, temperature] = streams.map(stockEmitter)
    const pipe = mux as unknown as NodeJS.ReadWriteStream
    socket.pipe(pipe).pipe(socket)
    door?.emit('close', Date.now())
    if (temperature === undefined) return
    thermometers.add(temperature)
    socket.on('close', () => thermometers.delete(temperature))
  },
)

const program = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
createInterface(program.stdout).on('line', line => {
  const celsius = Number(line)
  for (const thermometer of thermometers) thermometer.emit('reading', celsius, 'C')
})

server.listen(0, '127.0.0.1', () => {
  reportTo(process, (server.address() as AddressInfo).port, async () => void program.kill())
})
