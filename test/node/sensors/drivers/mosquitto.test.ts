import test from 'ava'

import { systemClock } from '../../../../node/lib/clock.ts'
import { startFeeds, type Feeds } from '../../../../node/sensors/feed.ts'
import { openSensors, sensorsConfig, simulationConfig } from '../../../../node/sensors/registry.ts'
import type { SensorEvent } from '../../../../node/sensors/kinds.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import {
  addressOf,
  freePort,
  startMosquitto,
  type MosquittoAddress,
} from '../../../support/mosquitto.ts'

/** The sensors that a node would have, fed by what the broker prints. */
function sensorsOf(broker: MosquittoAddress, clock = systemClock) {
  const sensors = sensorsConfig.parse({
    door: {
      driver: 'command',
      kind: 'door',
      command: broker.subscribeCommand('zigbee2mqtt/fridge-door'),
    },
    temperature: {
      driver: 'command',
      kind: 'temperature',
      command: broker.subscribeCommand('zigbee2mqtt/fridge-air'),
    },
  })
  const simulation = simulationConfig.parse({})
  return openSensors({ sensors, simulation }, { clock, random: Math.random })
}

/** The events of the feeds one after the other, each waited for. */
function eventsOf(feeds: Feeds): () => Promise<{ name: string } & SensorEvent> {
  const events: ({ name: string } & SensorEvent)[] = []
  let wake: () => void = () => undefined
  feeds.subscribe(({ name }, event) => {
    events.push({ name, ...event })
    wake()
  })
  return async () => {
    for (;;) {
      const event = events.shift()
      if (event !== undefined) return event
      await new Promise<void>(resolve => (wake = resolve))
    }
  }
}

test('door and temperature come from a real broker with the payloads of Zigbee2MQTT', async t => {
  await using broker = await startMosquitto()
  await using opened = sensorsOf(broker)
  await using feeds = startFeeds(opened.sensors, { clock: systemClock, random: Math.random })
  const next = eventsOf(feeds)

  // Retained, as Zigbee2MQTT can: they arrive however late the sensor subscribes.
  const door = '{"contact":false,"battery":97,"linkquality":120}'
  await broker.publish('zigbee2mqtt/fridge-door', door, true)
  t.like(await next(), { name: 'door', type: 'open' })
  const air = '{"temperature":5.31,"humidity":48.2}'
  await broker.publish('zigbee2mqtt/fridge-air', air, true)
  t.like(await next(), { name: 'temperature', type: 'reading', value: 5.31, unit: 'C' })

  // From here on both have subscribed.
  await broker.publish('zigbee2mqtt/fridge-door', '{"battery":96,"linkquality":118}')
  await broker.publish('zigbee2mqtt/fridge-door', '{"contact":true,"battery":96,"linkquality":118}')
  t.like(await next(), { name: 'door', type: 'close' })
  await broker.publish('zigbee2mqtt/fridge-air', '{"temperature":null,"humidity":48.2}')
  t.like(await next(), {
    name: 'temperature',
    type: 'unavailable',
    reason: 'a value is no number',
  })
  await broker.publish('zigbee2mqtt/fridge-air', '{"temperature":-0.4,"humidity":50}')
  t.like(await next(), { name: 'temperature', type: 'reading', value: -0.4 })
})

test('a broker that is not there makes the sensors unavailable until it is', async t => {
  const port = await freePort()
  const clock = new FakeClock()
  await using opened = sensorsOf(addressOf(port), clock)
  await using feeds = startFeeds(opened.sensors, { clock, random: () => 1 })
  const next = eventsOf(feeds)
  const reason = 'mosquitto_sub ended with status 1'
  t.like(await next(), { type: 'unavailable', reason })
  t.like(await next(), { type: 'unavailable', reason })
  await using broker = await startMosquitto({ port })
  await broker.publish('zigbee2mqtt/fridge-door', '{"contact":false}', true)
  await clock.advance(1_000)
  t.like(await next(), { name: 'door', type: 'open' })
})
