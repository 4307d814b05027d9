import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import test from 'ava'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { spawnCli } from '../support/cli.ts'
import { until } from '../support/cluster.ts'
import { startMosquitto } from '../support/mosquitto.ts'

test('a node that is killed while its webhook does not answer tells of its alarm afterwards, and of its end', async t => {
  t.timeout(60_000)
  const folder = await makeTestFolder(t)
  const certs = await makeTestCerts(t, { nodes: ['node-1'] })
  const told: { state: string; id: string; since: number; status: number }[] = []
  let status = 500
  let more = Promise.withResolvers<void>()
  const receiver = createServer((request, response) => {
    void text(request).then(body => {
      const { state, id, since } = JSON.parse(body) as { state: string; id: string; since: number }
      told.push({ state, id, since, status })
      response.writeHead(status).end()
      more.resolve()
      more = Promise.withResolvers()
    })
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  t.teardown(() => {
    receiver.close()
    receiver.closeAllConnections()
  })
  const heard = async (count: number): Promise<void> => {
    while (told.length < count) await more.promise
  }
  const { port } = receiver.address() as AddressInfo
  const value = join(folder, 'value')
  const config = {
    sensors: {
      shelf: {
        driver: 'command',
        kind: 'temperature',
        command: ['sh', '-c', 'cat "$1"; exec sleep 1000', 'sh', value],
      },
    },
    alarms: {
      rules: { shelf: { high: { limit: 8 } } },
      webhook: { url: `http://127.0.0.1:${port}/` },
    },
  }
  await writeFile(join(folder, 'node.json'), JSON.stringify(config))
  const args = ['node', 'start', '--name', 'node-1', '--listen', '127.0.0.1:0']
  const start = () =>
    spawnCli(t, [...args, '--config', 'node.json'], {
      cwd: folder,
      env: { FRIDGE_CERTS: certs.dir },
    })

  await writeFile(value, '12\n')
  const first = start()
  await heard(1)
  first.child.kill('SIGKILL')
  await first.exit

  await writeFile(value, '4\n')
  status = 200
  const before = told.length
  const second = start()
  await heard(before + 2)
  second.child.kill('SIGTERM')
  t.is(await second.exit, 0)
  const [raised, repeated, over] = [told[0], ...told.slice(before)]
  t.is(raised?.state, 'raised')
  t.like(repeated, { state: 'raised', id: raised?.id, since: raised?.since })
  t.like(over, { state: 'over', id: raised?.id, since: raised?.since })
})

test('a node that is killed before its program and its broker have heard of an alarm tells both afterwards', async t => {
  t.timeout(60_000)
  const folder = await makeTestFolder(t)
  const certs = await makeTestCerts(t, { nodes: ['node-1'] })
  const [began, told] = [join(folder, 'began'), join(folder, 'told')]
  // The first run of the program never comes to its end.
  const script = 'cat > "$1.part"; [ -e "$2" ] || { echo > "$2"; sleep 1000; }; mv "$1.part" "$1"'
  const { port, ...reserved } = await startMosquitto()
  await reserved[Symbol.asyncDispose]()
  const config = {
    sensors: {
      shelf: {
        driver: 'command',
        kind: 'temperature',
        command: ['sh', '-c', 'echo 12; exec sleep 1000'],
      },
    },
    alarms: {
      rules: { shelf: { high: { limit: 8 } } },
      program: ['sh', '-c', script, 'sh', told, began],
      mqtt: { broker: `mqtt://127.0.0.1:${port}` },
    },
  }
  await writeFile(join(folder, 'node.json'), JSON.stringify(config))
  const args = ['node', 'start', '--name', 'node-1', '--listen', '127.0.0.1:0']
  const start = () =>
    spawnCli(t, [...args, '--config', 'node.json'], {
      cwd: folder,
      env: { FRIDGE_CERTS: certs.dir },
    })
  const contents = async (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '')
  const appeared = async (file: string): Promise<void> =>
    until(async () => (await contents(file)) !== '')

  const first = start()
  const line = await first.err.find(/"msg":"alarm"/)
  await appeared(began)
  first.child.kill('SIGKILL')
  await first.exit
  t.false(existsSync(told))

  await using broker = await startMosquitto({ port })
  const place = ['-h', '127.0.0.1', '-p', String(broker.port)]
  const topic = ['-t', 'fridge/node-1/alarms', '-C', '1']
  const heard = promisify(execFile)('mosquitto_sub', [...place, ...topic])
  await broker.subscribed('fridge/node-1/alarms')
  const second = start()
  const { id } = JSON.parse(line) as { id: string }
  await appeared(told)
  t.like(JSON.parse(await contents(told)), { state: 'raised', id })
  t.like(JSON.parse((await heard).stdout), { state: 'raised', id })
  second.child.kill('SIGTERM')
  t.is(await second.exit, 0)
})

test('a disk that takes nothing more costs alarms their memory, and nothing else', async t => {
  t.timeout(60_000)
  const folder = await makeTestFolder(t)
  const certs = await makeTestCerts(t, { nodes: ['node-1'] })
  const data = join(folder, 'data')
  // A folder in its place stands for whatever keeps the file from being written.
  await mkdir(join(data, 'alarms.json'), { recursive: true })
  const config = {
    sensors: { shelf: { driver: 'command', kind: 'temperature', command: ['echo', '12'] } },
    alarms: { rules: { shelf: { high: { limit: 8 } } } },
  }
  await writeFile(join(folder, 'node.json'), JSON.stringify(config))
  const args = ['node', 'start', '--name', 'node-1', '--listen', '127.0.0.1:0', '--data', data]
  const { err, exit, child } = spawnCli(t, [...args, '--config', 'node.json'], {
    cwd: folder,
    env: { FRIDGE_CERTS: certs.dir },
  })
  await err.find(/what is known of alarms cannot be read: they begin anew/)
  await err.find(/12\.00 °C, above 8 °C/)
  await err.find(/what is known of alarms cannot be written: a restart would forget it/)
  child.kill('SIGTERM')
  t.is(await exit, 0)
  await t.throwsAsync(readFile(join(data, 'alarms.json')), { code: 'EISDIR' })
})
