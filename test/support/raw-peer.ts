import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { ExecutionContext } from 'ava'
import type { Address } from '../../node/lib/address.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { Lines } from './cli.ts'

const OPTS = { writable: true, readable: true }

/** A peer that says whatever a test wants over a TLS connection of its own. */
export interface RawPeer {
  readonly socket: TLSSocket
  /** The lines that came, undecoded. */
  readonly lines: Lines
  /** Resolves when the connection is over, however it ended. */
  readonly closed: Promise<void>
  /** The code of what it ended with, once it has. */
  failure(): string | undefined
  /** Send a text as it is. */
  send(text: string | Buffer): void
  /** Send frames of mux-demux, each on a line. */
  frames(...frames: readonly unknown[]): void
  /** The id of the stream that the node opens, or has opened, under a name. */
  stream(name: string): Promise<string>
}

export interface RawPeerOptions extends Pick<
  ConnectionOptions,
  'session' | 'minVersion' | 'maxVersion'
> {
  /** Speak `fridge/1`, or what is named. Default: the plain protocol. */
  readonly alpn?: boolean | string
  /** Leave the own half open when the node ends its own. */
  readonly allowHalfOpen?: boolean
}

/** Connect, and say nothing yet. The test's end destroys the connection. */
export async function connectRaw(
  t: Pick<ExecutionContext, 'teardown'>,
  { host, port }: Address,
  { key, certificate: cert, ca }: Pick<Credentials, 'key' | 'certificate' | 'ca'>,
  { alpn = false, ...options }: RawPeerOptions = {},
): Promise<RawPeer> {
  const socket = connect({
    host,
    port,
    key,
    cert,
    ca,
    checkServerIdentity: () => undefined,
    ...(alpn !== false && { ALPNProtocols: [alpn === true ? 'fridge/1' : alpn] }),
    ...options,
  })
  t.teardown(() => socket.destroy())
  const lines = new Lines()
  let rest = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) lines.push(part)
  })
  let failure: string | undefined
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code
  })
  const closed = new Promise<void>(resolve => {
    socket.once('close', () => {
      lines.end()
      resolve()
    })
  })
  const connected = new Promise<void>(resolve => {
    socket.once('secureConnect', resolve)
  })
  await Promise.race([connected, closed])
  return {
    socket,
    lines,
    closed,
    failure: () => failure,
    send: text => void socket.write(text),
    frames: (...frames) => {
      socket.write(frames.map(frame => `${JSON.stringify(frame)}\n`).join(''))
    },
    stream: async name => {
      const line = await lines.find(new RegExp(`^\\["[0-9a-f]+","new",\\{"meta":"${name}"`))
      return (JSON.parse(line) as [string])[0]
    },
  }
}

/** A frame that opens a stream. */
export function opening(id: string, meta: string): unknown[] {
  return [id, 'new', { meta, opts: OPTS }]
}

/** A frame that carries one line of a stream. */
export function carrying(id: string, line: string): unknown[] {
  return [id, 'data', `${line}\n`]
}

/** A frame that calls `setTargetTemperature`. @param callback the id of its answer, greater each time */
export function calling(id: string, callback: number): unknown[] {
  const callbacks = { [callback]: ['1'] }
  return carrying(
    id,
    JSON.stringify({ method: 'setTargetTemperature', arguments: [5, '[Function]'], callbacks }),
  )
}
