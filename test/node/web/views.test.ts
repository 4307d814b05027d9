import test, { type ExecutionContext } from 'ava'
import { systemClock, type Clock } from '../../../node/lib/clock.ts'
import type { Terms, View } from '../../../node/whitelist/terms.ts'
import { makeSharedCerts, startCluster } from '../../support/cluster.ts'
import { makeBrowserKey, signIn, type Answer } from '../../support/page-key.ts'
import { openPage, WEB_ON, type Page } from '../../support/pages.ts'
import { standingClock } from '../../support/standing-clock.ts'

/** What a page sees beside sensors, by the views of its grant; and alarms, told as they come. */

const shared = await makeSharedCerts()
const { certs } = shared
const PHONE = makeBrowserKey()
const RULES = { alarms: { rules: { temperature: { high: { limit: 1 } } } } }
test.after.always(() => shared.remove())

async function signedIn(t: ExecutionContext, terms: Terms, nodes = 1, clock: Clock = systemClock) {
  const cluster = await startCluster(t, { nodes, certs, config: { ...WEB_ON, ...RULES }, clock })
  t.teardown(async () => cluster[Symbol.asyncDispose]())
  await cluster.grant(1, 'phone', { keys: [PHONE.id], ...terms })
  const origin = new URL(cluster.node(1).page ?? '').origin
  const page = await openPage(cluster, 1, origin)
  t.teardown(() => page[Symbol.dispose]())
  t.deepEqual(await signIn(page, { cluster, index: 1, origin, name: 'phone', key: PHONE }), {})
  return { cluster, page }
}

const LOOKS: readonly (readonly [View, string, readonly unknown[]])[] = [
  ['fleet', 'fleet', [null]],
  ['whitelist', 'list', [null]],
  ['log', 'log', [{}, null]],
]

async function look(page: Page, name: string, values: readonly unknown[]): Promise<Answer> {
  return (await page.socket.emitWithAck('call', name, ...values)) as Answer
}

test('a page sees what its grant names, and not what it does not name', async t => {
  const { cluster, page } = await signedIn(t, {})
  for (const [view, name, values] of LOOKS) {
    const { error } = await look(page, name, values)
    t.is(error?.message, `the grant does not name the view ${view}`)
  }
  for (const [allowed] of LOOKS) {
    await cluster.grant(1, 'phone', { keys: [PHONE.id], views: [allowed] })
    for (const [view, name, values] of LOOKS) {
      const { value, error } = await look(page, name, values)
      t.is(error === undefined, view === allowed, `${name} with ${allowed}`)
      t.is(value !== undefined, view === allowed)
    }
  }
})

test('the fleet names every node with what it says of its fridge, and the list and the log all names', async t => {
  const { cluster, page } = await signedIn(t, { views: ['fleet', 'whitelist', 'log'] }, 2)
  const nodes = async () => {
    const { value } = await look(page, 'fleet', [null])
    return (value as { name: string; state: string }[]).map(({ name, state }) => [name, state])
  }
  t.deepEqual(await nodes(), [
    ['node-1', 'up'],
    ['node-2', 'up'],
  ])
  const { value: behind } = await look(page, 'fleet', ['node-1'])
  t.like((behind as unknown[])[0], { name: 'node-2' })
  const { value: list } = await look(page, 'list', [null])
  t.like((list as unknown[])[0], { subject: 'client/phone', standing: 'granted', sessions: 1 })
  const { value: log } = await look(page, 'log', [{}, null])
  t.is((log as { entries: unknown[] }).entries.length, 1)
  await cluster.stop(2)
  t.deepEqual((await nodes())[1], ['node-2', 'left'])
})

test('views that are malformed or too many are answered with an error', async t => {
  const { page } = await signedIn(t, { views: ['fleet', 'whitelist', 'log'] }, 1, standingClock())
  for (const [name, values] of [
    ['fleet', [1]],
    ['list', ['nobody']],
    ['log', [{ more: 1 }, null]],
    ['log', [{}, -1]],
    // They would hold a call for ever.
    ['follow', [{}, {}]],
    ['constructor', []],
  ] as const) {
    const { error } = await look(page, name, values)
    t.is(error?.code, 'ERR_PROTOCOL', name)
  }
  let last: Answer = {}
  for (let count = 0; count < 100 && last.error === undefined; count += 1) {
    last = await look(page, 'fleet', [null])
  }
  t.is(last.error?.code, 'ERR_LIMIT')
})

test('a page is told of alarms as they come, and only of sensors that it may read', async t => {
  const { cluster, page } = await signedIn(t, { sensors: ['temperature'] })
  const [, , alarm] = await page.find(([event, state]) => event === 'alarms' && state === 'raised')
  t.like(alarm, { sensor: 'temperature', rule: 'high', limit: 1 })
  const { id } = alarm as { id: string }
  t.is((await look(page, 'acknowledge', [id, 'called'])).error, undefined)
  const [, , noted] = await page.find(
    ([event, state]) => event === 'alarms' && state === 'acknowledged',
  )
  t.like(noted, { id, acknowledged: { by: 'client/phone', comment: 'called' } })
  const from = page.heard.length
  await cluster.grant(1, 'phone', { keys: [PHONE.id], sensors: ['door'] })
  t.deepEqual(await page.find(([event]) => event === 'alarms', from), ['alarms', 'standing', []])
  t.is((await look(page, 'acknowledge', [id, 'again'])).error?.message, 'there is no such alarm')
})
