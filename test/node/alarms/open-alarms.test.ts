import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { AlarmChange } from '../../../node/alarms/alarm.ts'
import { openAlarms } from '../../../node/alarms/open-alarms.ts'
import { silentLog } from '../../../node/lib/log.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { testConfig, type ConfigText } from '../../support/cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { celsius } from '../../support/history.ts'
import { playFeeds } from '../../support/played-feeds.ts'

/** A receiver that nobody is. */
const webhook = { url: 'http://127.0.0.1:1/' }

/** One run of the alarms of a node with a thermometer. */
function start(data: string, alarms: ConfigText) {
  const feeds = playFeeds([{ name: 'temperature', kind: 'temperature' }])
  const clock = new FakeClock()
  const config = testConfig('node-1', { certs: '', data, config: { alarms } })
  const recording = { whyNot: undefined, subscribe: () => ({ [Symbol.dispose]: () => {} }) }
  const recorded: string[] = []
  const record = ({ state }: AlarmChange): void => void recorded.push(state)
  const random = (): number => 0
  const open = openAlarms(config, { feeds, recording, record, clock, random, log: silentLog })
  return {
    recorded,
    open,
    say: (value: number): void => feeds.say('temperature', celsius(value, clock.now())),
  }
}

test('a rule that a run has no more ends its alarm, and whoever was told of it is told that too', async t => {
  const data = await makeTestFolder(t)
  const rules = { temperature: { high: { limit: 8 } } }
  const first = start(data, { rules, webhook })
  first.say(12)
  t.is(first.open.alarms.standing().length, 1)
  await first.open[Symbol.asyncDispose]()
  const second = start(data, { webhook })
  await second.open[Symbol.asyncDispose]()
  t.deepEqual(second.recorded, ['over'])
  const { unsent } = JSON.parse(await readFile(join(data, 'alarms.json'), 'utf8')) as {
    unsent: { webhook: { state: string; alarm: { id: string } }[] }
  }
  t.deepEqual(
    unsent.webhook.map(({ state }) => state),
    ['raised', 'over'],
  )
  t.is(new Set(unsent.webhook.map(({ alarm }) => alarm.id)).size, 1)
})

test('what waits for a receiver is on the disk at every moment, from the first on', async t => {
  const data = await makeTestFolder(t)
  const rules = { temperature: { high: { limit: 8 } } }
  const first = start(data, { rules, webhook, program: ['/nonexistent'] })
  first.say(12)
  await first.open[Symbol.asyncDispose]()
  // The next run changes what is kept as soon as it begins, and is killed then.
  const second = start(data, { rules, webhook, program: ['/nonexistent'] })
  second.say(13)
  const states = async (): Promise<unknown> => {
    const { unsent } = JSON.parse(await readFile(join(data, 'alarms.json'), 'utf8')) as {
      unsent: Record<string, { state: string }[]>
    }
    return Object.values(unsent).map(changes => changes.map(({ state }) => state))
  }
  for (let looks = 0; looks < 20; looks += 1) {
    t.deepEqual(await states(), [['raised'], ['raised'], []])
  }
  await second.open[Symbol.asyncDispose]()
})
