import { once } from 'node:events'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'

/** Where the pages of the benches come from. */
export const PAGE_ORIGIN = 'https://bench.example'

/** Frames of a client that are masked with zeros (RFC 6455, 5.3): to join, and that it lives. */
const JOIN = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30])
const PONG = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x33])

/** The frame with which Engine.IO asks whether a page lives. */
const PING = Buffer.from([0x81, 0x01, 0x32])

/** Connect as the library of a page does, without its cost. Resolves when it has joined. */
export async function joinAsPage(port: number, tls: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: tls.ca, ALPNProtocols: ['http/1.1'] })
  await once(socket, 'secureConnect')
  const lines = [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    `Origin: ${PAGE_ORIGIN}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  await until(socket, '\r\n\r\n')
  socket.write(JOIN)
  await until(socket, '40{')
  socket.on('data', (chunk: Buffer) => {
    if (chunk.includes(PING)) socket.write(PONG)
  })
  return socket
}

async function until(socket: TLSSocket, text: string): Promise<void> {
  for (let heard = ''; !heard.includes(text);) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    heard += chunk.toString('latin1')
  }
}
