import { readFileSync } from 'node:fs'
import type { TLSSocket } from 'node:tls'
import { ENCODE, SUBSCRIBE } from './broker-protocols.ts'
import type { ClientsOrder, Delivered } from './client-process.ts'
import { followLoad } from './load.ts'

/** The clients of the fan-out bench. They count events and do nothing else: clients.ts ORDER */
const order = JSON.parse(process.argv[2] ?? '') as ClientsOrder
const { protocol, port, control } = order
const { caFile, certificateFile, keyFile } = order.files.client
const tls = {
  ca: readFileSync(caFile),
  cert: readFileSync(certificateFile),
  key: readFileSync(keyFile),
}

/** The name of the event, which stands once in each message of every protocol. */
const EVENT = 'reading'
let events = 0

function count(socket: TLSSocket): void {
  let rest = ''
  socket.on('data', (chunk: Buffer) => {
    const text = rest + chunk.toString('latin1')
    for (let at = text.indexOf(EVENT); at >= 0; at = text.indexOf(EVENT, at + EVENT.length))
      events += 1
    // A name that two chunks share is found with the second one; a whole one is not kept.
    rest = text.slice(1 - EVENT.length)
  })
  socket.on('close', () => {
    if (process.connected) throw new Error('a client was cut')
  })
}

// A few at a time, so that no server's queue of new connections overflows.
const sockets: TLSSocket[] = []
while (sockets.length < order.clients) {
  const some = Array.from({ length: 10 }, async () => SUBSCRIBE[protocol](port, tls))
  for (const socket of await Promise.all(some)) {
    sockets.push(socket)
    count(socket)
  }
}

if ((protocol === 'nats' || protocol === 'mqtt') && control !== undefined) {
  const publisher = await SUBSCRIBE[protocol](port, tls)
  publisher.resume()
  const encode = ENCODE[protocol]
  let celsius = 4
  void followLoad(control, burst => {
    const messages: Buffer[] = []
    for (let left = burst; left > 0; left -= 1) {
      celsius = celsius >= 5 ? 4 : celsius + 0.01
      messages.push(encode(`${JSON.stringify([EVENT, Number(celsius.toFixed(2)), 'C'])}\n`))
    }
    publisher.write(Buffer.concat(messages))
  })
}

const report = (): void => {
  process.send?.({ events, atMs: performance.now() } satisfies Delivered)
}
process.on('message', report)
process.on('disconnect', () => process.exit())
report()
