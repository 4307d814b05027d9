import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { joinAsPage } from './page-protocol.ts'

/** How the clients of the fan-out bench talk to a server. */
export type ClientProtocol = 'plain' | 'nats' | 'mqtt' | 'page'

/** Connect, and subscribe where the protocol has that. Resolves when events will come. */
export type Subscribe = (port: number, tls: ConnectionOptions) => Promise<TLSSocket>

/** One message with an event as its payload, as bytes. */
export type Encode = (payload: string) => Buffer

const TOPIC = 'temperature'

/** All servers get the cipher that Node.js and OpenSSL would choose anyway; Go would choose another. */
const COMMON = {
  host: '127.0.0.1',
  ciphers: 'TLS_AES_256_GCM_SHA384',
  minVersion: 'TLSv1.3',
} as const

export const SUBSCRIBE: Readonly<Record<ClientProtocol, Subscribe>> = {
  page: joinAsPage,
  plain: async (port, tls) => {
    const socket = connectTls({ ...COMMON, ...tls, port })
    await once(socket, 'secureConnect')
    return socket
  },
  nats: async (port, tls) => {
    // NATS greets in clear text, then both change to TLS.
    const plain = connectTcp(port, COMMON.host)
    await once(plain, 'data')
    const socket = connectTls({ ...COMMON, ...tls, socket: plain })
    await once(socket, 'secureConnect')
    socket.write(`CONNECT {"verbose":false,"pedantic":false}\r\nSUB ${TOPIC} 1\r\nPING\r\n`)
    await hear(socket, text => text.includes('PONG\r\n'))
    return socket
  },
  mqtt: async (port, tls) => {
    const socket = connectTls({ ...COMMON, ...tls, port })
    await once(socket, 'secureConnect')
    // MQTT 3.1.1, clean session, no keep-alive; the server makes up the client's name.
    socket.write(packet(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 0]), text('')])))
    socket.write(packet(0x82, Buffer.concat([Buffer.from([0, 1]), text(TOPIC), Buffer.from([0])])))
    const subscribed = Buffer.from([0x90, 3, 0, 1, 0]).toString('latin1')
    await hear(socket, answer => answer.includes(subscribed))
    return socket
  },
}

/** How an event is published, where clients do that. */
export const ENCODE: Readonly<Record<'nats' | 'mqtt', Encode>> = {
  nats: payload => Buffer.from(`PUB ${TOPIC} ${payload.length}\r\n${payload}\r\n`),
  mqtt: payload => packet(0x30, Buffer.concat([text(TOPIC), Buffer.from(payload)])),
}

/** Read until what came so far is enough. */
async function hear(socket: TLSSocket, isEnough: (text: string) => boolean): Promise<void> {
  let heard = ''
  while (!isEnough(heard)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    heard += chunk.toString('latin1')
  }
}

/** MQTT 3.1.1, section 2.2; bodies here are shorter than 128 bytes. */
function packet(type: number, body: Buffer): Buffer {
  if (body.length > 127) throw new RangeError('a packet of the bench is too long')
  return Buffer.concat([Buffer.from([type, body.length]), body])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([0, bytes.length]), bytes])
}
