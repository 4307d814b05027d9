import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

import { errorCode } from '../../node/lib/errors.ts'
import { Lines } from './cli.ts'

/** Where a broker is, or will be. */
export interface MosquittoAddress {
  readonly port: number
  /** The command that prints what is published on `topic`, a line a message. */
  subscribeCommand(topic: string): string[]
}

/** A Mosquitto broker on a loopback port of its own. */
export interface Mosquitto extends MosquittoAddress, AsyncDisposable {
  /** @param retain whether a later subscriber is told as well */
  publish(topic: string, payload: string, retain?: boolean): Promise<void>
  /** Resolves once somebody has subscribed to `topic`: what is published before that goes to nobody. */
  subscribed(topic: string): Promise<void>
}

export interface MosquittoOptions {
  /** Default a free one. */
  readonly port?: number
  /** Lines of its configuration. Default: everybody may do everything. */
  readonly settings?: readonly string[]
  /** Arguments with which `mosquitto_pub` comes in. Default none. */
  readonly publisher?: readonly string[]
}

/**
 * Start the broker and wait until it serves.
 * @throws Error that says what to install where there is no Mosquitto
 */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const { port } = options
  // Somebody may take the port between the look and the start: then another one.
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(port ?? (await freePort()), options)
    } catch (error) {
      if (port !== undefined || attempt === 5 || errorCode(error) === 'ENOENT') throw error
    }
  }
}

async function start(
  port: number,
  { settings = ['allow_anonymous true'], publisher = [] }: MosquittoOptions,
): Promise<Mosquitto> {
  const folder = await mkdtemp(join(tmpdir(), 'fridge-mosquitto-'))
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rm(folder, { recursive: true }))
  const file = join(folder, 'mosquitto.conf')
  const lines = [`listener ${port} 127.0.0.1`, 'persistence false', ...settings, '']
  await writeFile(file, lines.join('\n'))

  // Debian keeps the broker in a folder that only root's PATH names.
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/usr/local/sbin` }
  const broker = spawn('mosquitto', ['-v', '-c', file], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    await once(broker, 'spawn')
  } catch (cause) {
    throw notInstalled(cause)
  }
  const exit = once(broker, 'exit')
  cleanup.defer(async () => {
    broker.kill('SIGKILL')
    await exit
  })
  const said = new Lines()
  createInterface(broker.stderr)
    .on('line', line => said.push(line))
    .on('close', () => said.end())
  await said.find(/mosquitto version \S+ running/)

  const ending = cleanup.move()
  return {
    ...addressOf(port),
    publish: async (topic, payload, retain = false) => {
      const args = [
        ...flagsOf(port),
        ...publisher,
        '-t',
        topic,
        '-m',
        payload,
        ...(retain ? ['-r'] : []),
      ]
      await promisify(execFile)('mosquitto_pub', args).catch((error: unknown) => {
        throw errorCode(error) === 'ENOENT' ? notInstalled(error) : error
      })
    },
    subscribed: async topic => {
      // A line for each topic: the moment, who subscribes, the quality of service, and the topic.
      await said.find(new RegExp(`^\\d+: \\S+ \\d ${topic}$`))
    },
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

function notInstalled(cause: unknown): Error {
  const message = 'this test needs Mosquitto: apt-get install mosquitto mosquitto-clients'
  return Object.assign(new Error(message, { cause }), { code: errorCode(cause) })
}

function flagsOf(port: number): string[] {
  return ['-h', '127.0.0.1', '-p', String(port)]
}

export function addressOf(port: number): MosquittoAddress {
  const subscribeCommand = (topic: string): string[] => [
    'mosquitto_sub',
    ...flagsOf(port),
    '-t',
    topic,
  ]
  return { port, subscribeCommand }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
