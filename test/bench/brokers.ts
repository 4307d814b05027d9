import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../support/mosquitto.ts'
import { installedMosquitto, installedNats, SERVER_ENV } from './machine.ts'
import type { MeasuredServer } from './server-process.ts'
import type { CertificateFiles } from './site.ts'

/** Microseconds of one tick of /proc/PID/stat: USER_HZ is 100 on every Linux that Node.js runs on. */
const TICK_US = 10_000

/** NATS with mutual TLS 1.3. @returns undefined where it is not installed */
export async function startNatsServer({
  server,
}: CertificateFiles): Promise<MeasuredServer | undefined> {
  if (installedNats() === undefined) return undefined
  const port = await freePort()
  const config = `
    listen: "127.0.0.1:${port}"
    tls {
      cert_file: ${JSON.stringify(server.certificateFile)}
      key_file: ${JSON.stringify(server.keyFile)}
      ca_file: ${JSON.stringify(server.caFile)}
      verify: true
      timeout: 10
    }
  `
  return startBroker('nats-server', port, config, /Server is ready/)
}

/** Mosquitto with mutual TLS 1.3. @returns undefined where it is not installed */
export async function startMosquittoServer({
  server,
}: CertificateFiles): Promise<MeasuredServer | undefined> {
  if (installedMosquitto() === undefined) return undefined
  const port = await freePort()
  const lines = [
    `listener ${port} 127.0.0.1`,
    `cafile ${server.caFile}`,
    `certfile ${server.certificateFile}`,
    `keyfile ${server.keyFile}`,
    'require_certificate true',
    'tls_version tlsv1.3',
    'allow_anonymous true',
    'persistence false',
    // It would give up root's rights, and with them the key file.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ]
  return startBroker('mosquitto', port, lines.join('\n'), /mosquitto version \S+ running/)
}

async function startBroker(
  program: string,
  port: number,
  config: string,
  ready: RegExp,
): Promise<MeasuredServer> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'fridge-bench-'))
  stack.defer(async () => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'broker.conf')
  await writeFile(file, config)
  const child = spawn(program, ['-c', file], {
    env: SERVER_ENV,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exit = once(child, 'exit')
  stack.defer(async () => {
    child.kill('SIGTERM')
    await exit
  })
  const said: string[] = []
  let isReady = false
  for await (const line of createInterface(child.stderr)) {
    said.push(line)
    isReady = ready.test(line)
    if (isReady) break
  }
  if (!isReady) throw new Error(`${program} did not start:\n${said.join('\n')}`)
  child.stderr.resume()
  const running = stack.move()
  return {
    pid: child.pid,
    port,
    cpuMicros: async () => cpuMicrosOf(child.pid),
    [Symbol.asyncDispose]: async () => running.disposeAsync(),
  }
}

/** User and system time of all threads of a process: fields 14 and 15 of proc(5), stat. */
async function cpuMicrosOf(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The second field, the name, may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}
