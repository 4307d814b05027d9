import test from 'ava'
import type { Alarm } from '../../node/alarms/alarm.ts'
import { runCommand, startCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster, until } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'c1' }

/** Every simulated fridge is warmer than that. */
const config = { alarms: { rules: { temperature: { high: { limit: -20 } } } } }

test('alarms are listed by everyone who may read their sensor, and acknowledged with a comment', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config })
  await cluster.grant(1, 'c1')
  await cluster.grant(1, 'c2', { sensors: ['door'] })
  await cluster.log.find(line => line.node === 'node-1' && line.text === 'alarm')
  await cluster.log.find(line => line.node === 'node-2' && line.text === 'alarm')
  const nodes = [1, 2].flatMap(node => ['--node', cluster.address(node)])
  const list = await runCommand(['alarms', 'list', ...nodes], { env })
  t.is(list.status, 0)
  const [head, ...rows] = list.out.split('\n')
  t.regex(head ?? '', /^ID +NODE +SENSOR +SINCE +LASTED +WHAT +ACKNOWLEDGED$/)
  t.is(rows.length, 2)
  t.regex(rows.join('\n'), /^[0-9a-f]{12} +node-\d +temperature +20\S+Z +\S+ +.*above -20 °C +-$/m)

  const other = await runCommand(['alarms', 'list', ...nodes], { env: { ...env, FRIDGE_AS: 'c2' } })
  t.is(other.out, 'no alarms')

  const json = await runCommand(['alarms', 'list', '--node', cluster.address(2), '--json'], { env })
  const { id, node } = JSON.parse(json.out) as Alarm
  t.is(node, 'node-2')
  const watch = startCommand(['client', 'watch', '--node', cluster.address(2)], { env })
  await watch.out.find(/^[\d:.]{12} {2}ALARM {2}node-2 {2}temperature {2}(?!own limit)/)
  const acknowledge = ['alarms', 'acknowledge', id.slice(0, 8), '--comment', 'moved', ...nodes]
  const done = await runCommand(acknowledge, { env })
  t.is(done.status, 0)
  t.regex(
    done.out,
    /^alarm acknowledged {2}node-2 {2}temperature {2}high, since .*, by client\/c1: moved$/,
  )
  await watch.out.find(/^[\d:.]{12} {2}alarm acknowledged {2}node-2 .* by client\/c1: moved$/)
  watch.stop()
  await watch.status
  const after = await runCommand(['alarms', 'list', '--node', cluster.address(2)], { env })
  t.regex(after.out, / client\/c1 20\S+Z moved$/m)
})

test('the name of a context may be that of an operator, and what keeps from asking is said once', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs, config })
  const nodes = [1, 2].flatMap(node => ['--node', cluster.address(node)])
  await cluster.log.find(line => line.text === 'alarm')
  const list = async (name: string, ...args: string[]) =>
    runCommand(['alarms', 'list', ...nodes, ...args], { env: { ...env, FRIDGE_AS: name } })
  t.is((await list('admin')).status, 0)
  const typed = await list('c1', '--as', 'admin')
  t.is(typed.status, 1)
  t.is(typed.err.split('\n').length, 2, typed.err)
  t.regex(typed.err, /there is no client admin .*\n.*did you mean --as operator\/admin\?$/)
})

test('a comment can be read whole on a narrow terminal', async t => {
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c1')
  const { id } = (await cluster.log.find(line => line.text === 'alarm')).fields as { id: string }
  const comment = 'moved all of it into the fridge of the shop next door, and called the service'
  const node = ['--node', cluster.address(1)]
  await runCommand(['alarms', 'acknowledge', id, '--comment', comment, ...node], { env })
  const list = await runCommand(['alarms', 'list', ...node], { env, columns: 80 })
  t.true(list.out.replaceAll(/\s+/g, ' ').includes(comment), list.out)
  t.true(list.out.split('\n').every(line => line.length <= 80))
})

test('a name that is there in the other role is said with that role, not issued anew', async t => {
  const meant = async (args: string[], as: string): Promise<string> =>
    (await runCommand(args, { env: { FRIDGE_CERTS: certs.dir, FRIDGE_AS: as } })).err
  const client = await meant(['history', 'show', 'temperature'], 'c1')
  t.regex(client, /there is no operator c1 in .*\n.*did you mean --as client\/c1\?/)
  const operator = await meant(['alarms', 'list', '--as', 'admin'], 'c1')
  t.regex(operator, /there is no client admin in .*\n.*did you mean --as operator\/admin\?/)
  const nobody = await meant(['alarms', 'list'], 'c999')
  t.regex(nobody, /there is no client c999 in .*\n.*fridge certs issue client c999/)
})

test('an operator sees and acknowledges alarms too, and the log and the history keep who did, when and why', async t => {
  await using cluster = await startCluster(t, { certs, config })
  const { id } = (await cluster.log.find(line => line.text === 'alarm')).fields as { id: string }
  const asOperator = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'operator/admin' }
  const node = ['--node', cluster.address(1)]
  const list = await runCommand(['alarms', 'list', ...node], { env: asOperator })
  t.is(list.status, 0, list.err)
  t.true(list.out.includes(id))
  const args = ['alarms', 'acknowledge', id, '--comment', 'looked at it', ...node]
  const done = await runCommand(args, { env: asOperator })
  t.is(done.status, 0, done.err)
  t.regex(done.out, /by operator\/admin: looked at it$/)
  const line = await cluster.log.find(({ text }) => text === 'alarm acknowledged')
  t.like(line.fields, { id, by: 'operator/admin', comment: 'looked at it' })
  const show = ['history', 'show', 'temperature', '--alarms', ...node]
  const shown = async (): Promise<string> => (await runCommand(show, { env: asOperator })).out
  await until(async () => (await shown()).includes('acknowledged by operator/admin'))
  t.regex(await shown(), /^alarm from .*, not over: above -20 °C, .*: looked at it$/)
})

test('who may not read a sensor cannot acknowledge its alarms, nor who may not acknowledge', async t => {
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c1', { sensors: ['door'] })
  await cluster.grant(1, 'c2', { commands: ['defrost'] })
  await cluster.log.find(line => line.text === 'alarm')
  await using first = await cluster.client(1, 'c1')
  await using second = await cluster.client(1, 'c2')
  const { standing } = (await second.call('alarms', [])) as { standing: Alarm[] }
  const id = standing[0]?.id
  await t.throwsAsync(first.call('acknowledge', [id, '']), { code: 'ERR_COMMAND' })
  await t.throwsAsync(second.call('acknowledge', [id, '']), { code: 'ERR_REFUSED' })
  for (const values of [[], [id], [7, ''], [id, 'x'.repeat(501)]]) {
    await t.throwsAsync(second.call('acknowledge', values), { code: 'ERR_COMMAND' })
  }
  const lists = Array.from({ length: 30 }, async () => second.call('alarms', []))
  const refused = (await Promise.allSettled(lists)).filter(({ status }) => status === 'rejected')
  t.true(refused.length > 0)
})

test('a node that is not there keeps no other from being asked, and is said', async t => {
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c1')
  const nodes = ['--node', '127.0.0.1:1', '--node', cluster.address(1)]
  const list = await runCommand(['alarms', 'list', ...nodes], { env })
  t.is(list.status, 1)
  t.regex(list.err, /^127\.0\.0\.1:1: /)
  const missing = await runCommand(['alarms', 'acknowledge', 'ffff', ...nodes.slice(2)], { env })
  t.is(missing.status, 1)
  t.regex(missing.err, /no alarm begins with ffff/)
  t.is((await runCommand(['alarms', 'acknowledge', 'door', ...nodes], { env })).status, 2)
  t.is((await runCommand(['alarms', 'list', ...nodes.slice(0, 2)], { env })).status, 3)
})

test('a grant that is narrowed takes the alarms of its sensors along, and a wider one tells them', async t => {
  await using cluster = await startCluster(t, { certs, config })
  await cluster.grant(1, 'c1', { sensors: ['door'] })
  const told: string[] = []
  let more = Promise.withResolvers<void>()
  const tell = (line: string): void => {
    told.push(line)
    more.resolve()
    more = Promise.withResolvers()
  }
  await cluster.log.find(line => line.text === 'alarm')
  await using _client = await cluster.client(1, 'c1', {
    onStanding: ids => tell(`standing ${ids.length}`),
    onAlarm: (state, { sensor }) => tell(`${sensor} ${state}`),
  })
  const heard = async (count: number): Promise<string[]> => {
    while (told.length < count) await more.promise
    return told
  }
  t.deepEqual(await heard(1), ['standing 0'])
  await cluster.grant(1, 'c1', {})
  t.deepEqual(await heard(3), ['standing 0', 'standing 1', 'temperature raised'])
  await cluster.grant(1, 'c1', { sensors: ['door'] })
  t.deepEqual((await heard(4)).slice(3), ['standing 0'])
})
