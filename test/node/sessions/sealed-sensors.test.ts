import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parseName } from '../../../node/identity/names.ts'
import { connect } from '../../../node/client/connect.ts'
import type { SensorReport } from '../../../node/client/events.ts'
import type { Fridge } from '../../../node/client/fridge.ts'
import { ChannelKey } from '../../../node/seal/channel-key.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { clientOptions } from '../../support/client-listener.ts'
import {
  asAdmin,
  makeSharedCerts,
  startCluster,
  until,
  type Cluster,
} from '../../support/cluster.ts'
import { makeBrowserKey, signIn, textFor, signedIn } from '../../support/page-key.ts'
import { openPage, WEB_ON, type Page } from '../../support/pages.ts'
import { connectRaw } from '../../support/raw-peer.ts'
import { ask, METRICS_ON, Samples } from '../../support/scrape.ts'

/** A sealed sensor, as the holders of its passphrase know it, and everybody else. */

const shared = await makeSharedCerts()
const { certs } = shared
const WORDS = 'correct horse battery staple'
const status = asAdmin('status')
const history = asAdmin('history')
const SHOP = 'https://shop.example'
const DAY_MS = 86_400_000
const RULES = {
  alarms: { rules: { temperature: { high: { limit: 1 }, unavailableFor: 'never' } } },
}
test.after.always(() => shared.remove())

interface Sealed {
  readonly cluster: Cluster
  readonly file: string
  /** Put another passphrase into the file of the node. */
  readonly rotate: (words: string) => Promise<void>
}

async function startSealed(t: ExecutionContext, more: object = {}): Promise<Sealed> {
  const file = join(await makeTestFolder(t), 'kitchen.txt')
  await writeFile(file, `${WORDS}\n`, { mode: 0o600 })
  const seal = { kitchen: { sensors: ['temperature', 'door'], passphraseFile: file } }
  const config = { ...WEB_ON, ...METRICS_ON, ...RULES, seal, ...more }
  const cluster = await startCluster(t, { certs, config })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  await cluster.grant(1, 'c1')
  const rotate = async (words: string): Promise<void> => {
    await writeFile(file, `${words}\n`)
    await cluster.node(1).reload()
  }
  return { cluster, file, rotate }
}

async function open(t: ExecutionContext, cluster: Cluster, passphrase?: string): Promise<Fridge> {
  const fridge = await connect({
    ...clientOptions(cluster, [1]),
    ...(passphrase !== undefined && { passphrase }),
  })
  t.teardown(async () => fridge.close())
  return fridge
}

/** The first event of a sensor that fits. */
async function find(
  fridge: Fridge,
  isIt: (event: SensorReport) => boolean,
  sensor = 'temperature',
): Promise<SensorReport> {
  for await (const event of fridge.events({ sensor })) {
    if ('sequence' in event && isIt(event)) return event
  }
  throw new Error('it never came')
}

const isReading = ({ type }: SensorReport): boolean => type === 'reading'

function reasonOf(event: SensorReport): string {
  return event.type === 'unavailable' ? event.reason : event.type
}

test('a sealed sensor is read by a client with its passphrase, and is unavailable to one without', async t => {
  const { cluster } = await startSealed(t)
  const holder = await open(t, cluster, WORDS)
  const { type, ...reading } = await find(holder, isReading)
  t.is(type, 'reading')
  t.like(reading, { kind: 'temperature', unit: 'C' })
  t.is((await find(holder, () => true, 'door')).type, 'close')
  const others = [
    [undefined, /^sealed: it is for the holders of a passphrase$/],
    ['correct horse battery stapler', /^sealed: it is for another passphrase$/],
  ] as const
  for (const [words, reason] of others) {
    const other = await open(t, cluster, words)
    t.regex(reasonOf(await find(other, () => true)), reason)
    t.regex(reasonOf(await find(other, () => true, 'door')), reason)
  }
  const samples = new Samples((await ask(cluster.node(1), '/metrics')).text)
  t.true(samples.of('fridge_sealed_events_total') > 0)
})

test('nothing that a node says of a sealed sensor to anybody holds its value', async t => {
  const { cluster } = await startSealed(t)
  const holder = await open(t, cluster, WORDS)
  await find(holder, isReading)
  const { standing } = await holder.alarms()
  t.like(standing[0], { sensor: 'temperature', rule: 'high', limit: 1 })
  t.false('value' in (standing[0] ?? {}) && standing[0]?.value !== undefined)
  t.is(standing[0]?.extreme, undefined)

  const { text } = await ask(cluster.node(1), '/metrics')
  t.notRegex(text, /fridge_sensor_value\{/)

  const rows = [
    { sensor: 'door', isSealed: true },
    { sensor: 'temperature', isSealed: true },
  ]
  await until(async () => {
    const { out } = await status(cluster, 1, '--json')
    const [node] = (JSON.parse(out) as { nodes: { vitals?: { sensors: object[] } }[] }).nodes
    const told = (node?.vitals?.sensors ?? []).map(
      ({ sensor, isSealed, event }: { sensor?: string; isSealed?: true; event?: unknown }) =>
        event === undefined ? { sensor, isSealed } : event,
    )
    return JSON.stringify(told) === JSON.stringify(rows)
  })
  t.regex((await status(cluster, 1)).out, /^node-1 +up +sealed +sealed +1$/m)
})

test('a history of a sealed sensor is a page for the holders of its passphrase, operators included', async t => {
  const { cluster, file } = await startSealed(t)
  const holder = await open(t, cluster, WORDS)
  await find(holder, isReading)
  const question = { sensor: 'temperature', table: 'readings', from: Date.now() - DAY_MS } as const
  const read = async (fridge: Fridge): Promise<number[]> => {
    const values: number[] = []
    for await (const { value } of fridge.history(question)) values.push(value)
    return values
  }
  await until(async () => (await read(holder)).length > 0)
  const other = await open(t, cluster)
  await t.throwsAsync(read(other), { code: 'ERR_REFUSED', message: /sealed in channel kitchen/ })
  const refused = await history(cluster, 1, 'export', 'temperature')
  t.is(refused.status, 4)
  t.regex(refused.err, /sealed in channel kitchen, and there is no passphrase[^]*--passphrase-file/)
  const opened = await history(cluster, 1, 'export', 'temperature', '--passphrase-file', file)
  t.is(opened.status, 0, opened.err)
  t.true(opened.out.split('\n').length > 1)
})

test('who does not ask for sealed sensors is opened none; the plain protocol says once that it is sealed', async t => {
  const { cluster } = await startSealed(t, { simulation: { seed: 1, readingIntervalMs: 100 } })
  const credentials = await certs.load('client', parseName('c1'))
  const address = cluster.node(1).address
  const old = await connectRaw(t, address, credentials, { alpn: true })
  const control = await old.stream('control')
  old.frames([control, 'data', '["hello",{"protocol":1}]\n'])
  await old.stream('alarms')
  t.notRegex(old.lines.text, /"meta":"(door|temperature)"/)
  const plain = await connectRaw(t, address, credentials)
  const sensor = await plain.stream('temperature')
  await plain.lines.find(new RegExp(`^\\["${sensor}","data".*unavailable.*sealed: it is told`))
  // Others come meanwhile to those who are told of them.
  const holder = await open(t, cluster, WORDS)
  const { sequence } = await find(holder, isReading)
  await find(holder, event => event.sequence > sequence + 5)
  t.is(plain.lines.text.match(/sealed: it is told/g)?.length, 2)
  t.notRegex(plain.lines.text, /reading/)
})

test('a node that is given another passphrase seals with it at once, and the one before opens nothing new', async t => {
  const { cluster, rotate } = await startSealed(t)
  const before = await open(t, cluster, WORDS)
  await find(before, isReading)
  const next = 'another horse battery staple'
  await rotate(next)
  const after = await open(t, cluster, next)
  await find(after, isReading)
  // It has moved before, and what is kept of it is for the holders of the new one as well.
  t.is((await find(after, () => true, 'door')).type, 'close')
  const lost = await find(before, ({ type }) => type === 'unavailable')
  t.is(reasonOf(lost), 'sealed: it is for another passphrase')
  // What cannot be read changes nothing.
  await rotate('short')
  await cluster.log.find(({ text }) => text.startsWith('a passphrase cannot be read'))
  await find(after, isReading)
})

test('a node whose passphrase cannot be had does not start, and tells nothing unsealed instead', async t => {
  const file = join(await makeTestFolder(t), 'none.txt')
  const seal = { kitchen: { sensors: ['temperature'], passphraseFile: file } }
  const error = await t.throwsAsync(startCluster(t, { certs, config: { seal } }), {
    code: 'ERR_KEY_FILE',
  })
  t.is((error as { fix?: string }).fix, `fridge seal passphrase kitchen --out ${file}`)
})

const PHONE = makeBrowserKey()

async function openShop(t: ExecutionContext, cluster: Cluster): Promise<Page> {
  await cluster.grant(1, `origin/${SHOP}`)
  await cluster.grant(1, 'phone', { keys: [PHONE.id] })
  const page = await openPage(cluster, 1, SHOP)
  t.teardown(() => page[Symbol.dispose]())
  return page
}

test('a page is sent ciphertext of a sealed sensor, with what its holder needs to open it', async t => {
  const { cluster } = await startSealed(t)
  const page = await openShop(t, cluster)
  await signIn(page, { cluster, index: 1, origin: SHOP, name: 'phone', key: PHONE })
  const [, , , epoch, box, sequence] = (await page.find(
    ([event, sensor, type]) => event === 'event' && sensor === 'temperature' && type === 'sealed',
  )) as [string, string, string, string, string, number]
  const rights = page.heard.findLast(([event]) => event === 'rights')?.[1]
  const { sensors } = rights as {
    sensors: { name: string; sealed?: { channel: string; domain: string; epoch: string } }[]
  }
  const info = sensors.find(({ name }) => name === 'temperature')?.sealed
  if (info === undefined) return t.fail('it does not say so')
  const key = ChannelKey.ofNow(info, WORDS)
  t.is(key.info.epoch, epoch)
  const [, hello] = await page.find(([event]) => event === 'hello')
  const { node, run } = hello as { node: string; run: string }
  const opened = key.open({ kind: 'event', node, run, about: 'temperature' }, sequence, box)
  t.like(opened, ['reading'])
  t.false(page.heard.some(([, , type]) => type === 'reading' || type === 'close'))
})

test('a page seals a call: it is made once, and neither altered, repeated nor on another page', async t => {
  const { cluster } = await startSealed(t)
  const page = await openShop(t, cluster)
  const of = { cluster, index: 1, origin: SHOP, name: 'phone', key: PHONE }
  t.like(await page.socket.emitWithAck('sealed', 'kitchen', 1, 'AAAA'), {
    error: { code: 'ERR_REFUSED' },
  })
  const text = await textFor(page, of)
  await page.socket.emitWithAck('sign-in', signedIn(PHONE, text))
  const { node, run, nonce } = text
  const domain = 'fridge'
  const rights = page.heard.findLast(([event]) => event === 'rights')?.[1]
  const info = (rights as { sensors: { sealed?: { channel: string; domain: string } }[] }).sensors
    .map(({ sealed }) => sealed)
    .find(sealed => sealed !== undefined)
  const key = ChannelKey.ofNow(info ?? { channel: 'kitchen', domain }, WORDS)
  const call = (count: number, values: unknown[], about = nonce): [string, number, string] => {
    const { box } = key.seal({ kind: 'command', node, run, about }, count, values)
    return ['kitchen', count, box]
  }
  const send = async (...values: unknown[]): Promise<{ value?: { box: string }; error?: object }> =>
    page.socket.emitWithAck('sealed', ...values)
  const first = call(1, ['defrost'])
  const { value } = await send(...first)
  t.deepEqual(key.open({ kind: 'answer', node, run, about: nonce }, 1, value?.box ?? ''), [
    { value: 'defrosting for 20 min' },
  ])
  for (const refused of [
    first,
    call(0, ['defrost']),
    call(2, ['defrost'], 'of another page'),
    ['kitchen', 2, 'AAAA'],
    ['cellar', 2, first[2]],
  ]) {
    t.like(await send(...refused), { error: { code: 'ERR_REFUSED' } })
  }
  for (const malformed of [[], ['kitchen', '2', first[2]], ['kitchen', 2, '*']]) {
    t.like(await send(...malformed), { error: { code: 'ERR_PROTOCOL' } })
  }
  const failed = await send(...call(5, ['setTargetTemperature', 'warm']))
  const [outcome] =
    key.open({ kind: 'answer', node, run, about: nonce }, 5, failed.value?.box ?? '') ?? []
  t.like(outcome, { error: { code: 'ERR_COMMAND' } })
  t.like(await send(...call(4, ['defrost'])), { error: { code: 'ERR_REFUSED' } })
})
