import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { errorCode } from '../../../node/lib/errors.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { ask, METRICS_ON, scrape } from '../../support/scrape.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const folder = fileURLToPath(new URL('../../../cluster/prometheus/', import.meta.url))
const RULES = { temperature: { high: { limit: -20 } }, door: { openFor: '5m' } }

/** Run promtool; undefined where it is not installed (Debian has it in the package prometheus). */
async function promtool(...args: string[]): Promise<string | undefined> {
  try {
    return (await promisify(execFile)('promtool', args, { cwd: folder })).stdout
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

test('Prometheus takes the alert rules, and they say what they should when they should', async t => {
  for (const args of [
    ['check', 'rules', 'alerts.yaml'],
    ['test', 'rules', 'alerts-test.yaml'],
  ]) {
    const said = await promtool(...args)
    if (said === undefined) t.log('promtool is not installed')
    else t.regex(said, /SUCCESS/)
  }
  t.pass()
})

test('each metric that the alert rules name is one of a node', async t => {
  const text = await readFile(`${folder}alerts.yaml`, 'utf8')
  const named = new Set(text.match(/\bfridge_[a-z_]+/g))
  await using cluster = await startCluster(t, {
    certs,
    config: { ...METRICS_ON, alarms: { rules: RULES, program: ['true'] } },
  })
  const { text: metrics } = await ask(cluster.node(1), '/metrics')
  t.true(named.size >= 6)
  for (const name of named) t.true(metrics.includes(`# TYPE ${name} gauge\n`), name)
})

test('what the sensors say and which alarms stand are metrics, and nothing stays of what is not known', async t => {
  const sensors = {
    temperature: { driver: 'simulated' },
    door: { driver: 'simulated' },
    shelf: { driver: 'command', kind: 'temperature', command: ['false'] },
  }
  const config = { ...METRICS_ON, sensors, alarms: { rules: RULES } }
  await using cluster = await startCluster(t, { certs, config })
  await cluster.log.find(line => line.text === 'alarm')
  await cluster.log.find(line => line.text === 'sensor unavailable')
  const samples = await scrape(cluster.node(1))
  t.is(samples.of('fridge_sensor_available temperature temperature'), 1)
  t.is(samples.of('fridge_sensor_available shelf temperature'), 0)
  t.is(typeof samples.of('fridge_sensor_value temperature temperature'), 'number')
  t.is(samples.of('fridge_sensor_value door door'), 0)
  t.throws(() => samples.of('fridge_sensor_value shelf temperature'))
  t.is(samples.of('fridge_alarm temperature high'), 1)
  t.is(samples.of('fridge_alarm door open'), 0)
  t.is(samples.of('fridge_alarm_acknowledged temperature high'), 0)
})
