import test from 'ava'
import { runCommand } from '../support/cli.ts'
import { asAdmin, makeSharedCerts, startCluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const ENV = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' }
const SHOP = 'https://shop.example'
const origin = asAdmin('origin')
test.after.always(() => shared.remove())

test('an origin is added and removed on every node, shown, listed, and logged with both signatures', async t => {
  await using cluster = await startCluster(t, { nodes: 3, certs })
  await cluster.grant(1, 'c1')
  const added = await origin(cluster, 1, 'add', SHOP, '--reason', 'the shop')
  t.is(added.status, 0, added.err)
  t.regex(added.out, /^origin\/https:\/\/shop\.example added on 3 nodes$/m)
  const listed = await origin(cluster, 2, 'list')
  t.regex(listed.out, /^origin\/https:\/\/shop\.example +granted +admin/m)
  t.notRegex(listed.out, /c1/)
  const removed = await origin(cluster, 3, 'remove', SHOP, '--reason', 'sold')
  t.is(removed.status, 0, removed.err)
  const shown = await origin(cluster, 1, 'show', SHOP, '--json')
  t.is(shown.status, 1)
  t.like(JSON.parse(shown.out), { standing: 'revoked', removals: [{ reason: 'sold' }] })
  const log = await origin(cluster, 2, 'log', SHOP)
  t.is(log.status, 0, log.out)
  t.is(log.out.match(/verified/g)?.length, 2)
})

test('what an origin may is narrowed, kept by a later grant, and public where it is named', async t => {
  await using cluster = await startCluster(t, { certs })
  const bare = await origin(cluster, 1, 'add', SHOP, '--public')
  t.is(bare.status, 2)
  t.regex(bare.err, /it does not name the sensors that are public\n.*--sensor/)
  await origin(cluster, 1, 'add', SHOP, '--public', '--sensor', 'door')
  const later = await origin(cluster, 1, 'add', SHOP, '--expires-in', '8h')
  t.is(later.status, 0, later.err)
  t.like(JSON.parse((await origin(cluster, 1, 'show', SHOP, '--json')).out), {
    grants: [{ public: true, sensors: ['door'] }],
  })
  t.regex((await origin(cluster, 1, 'list')).out, /sensors door, .*sensors without signing in/)
  const [line] = (await origin(cluster, 1, 'add', SHOP, '--replace')).out
    .split('\n')
    .filter(text => text.includes('signing in'))
  t.is(line, '  before signing in: nothing (before: these sensors)')
})

test('what is not the origin of a page is refused with what was meant', async t => {
  for (const [url, said] of [
    ['http://shop.example', /a page that came in clear/],
    ['https://shop.example/a/b', /did you mean https:\/\/shop\.example\?/],
    ['https://SHOP.example:443', /did you mean https:\/\/shop\.example\?/],
    ['https://*.example', /is not the origin of a page/],
    ['shop.example', /use https:\/\/HOST or https:\/\/HOST:PORT/],
    ['null', /is not the origin of a page/],
  ] as const) {
    const { status, err } = await runCommand(['origin', 'add', url], { env: ENV })
    t.is(status, 2, url)
    t.regex(err, said, url)
  }
})

test('the removal of an origin that nobody knows is asked about', async t => {
  await using cluster = await startCluster(t, { certs })
  await origin(cluster, 1, 'add', SHOP)
  const slip = await origin(cluster, 1, 'remove', 'https://shpo.example')
  t.is(slip.status, 2)
  t.regex(slip.err, /was never let in; did you mean origin\/https:\/\/shop\.example\?/)
})
