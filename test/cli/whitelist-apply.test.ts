import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { startCommand } from '../support/cli.ts'
import { asAdmin, makeSharedCerts, startCluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
const whitelist = asAdmin('whitelist')
test.after.always(() => shared.remove())

const LIST = `
- name: till-1
  sensors: [door]
  reason: the front
- name: till-2
- name: origin/https://shop.example
  sensors: [temperature]
  public: true
`

test('a list is made what a file says, and once it is, nothing is changed again', async t => {
  await using cluster = await startCluster(t, { nodes: 2, certs })
  const file = join(await makeTestFolder(t), 'list.yaml')
  await writeFile(file, LIST)
  for (const name of ['till-1', 'till-3']) await cluster.grant(1, name)
  const shown = await whitelist(cluster, 1, 'apply', file, '--dry-run')
  t.is(shown.status, 1)
  t.is(
    shown.out,
    [
      '+ till-2',
      '+ origin/https://shop.example',
      '  sensors: temperature',
      '  before signing in: these sensors',
      '~ till-1',
      '  sensors: door (before: all)',
    ].join('\n'),
  )
  t.regex(shown.err, /1 name that is let in is not in .*list\.yaml; --prune removes/)
  const asked = await whitelist(cluster, 1, 'apply', file)
  t.is(asked.status, 2)
  t.regex(asked.err, /nothing was changed.*\n.*--yes/)
  t.is((await whitelist(cluster, 1, 'apply', file, '--dry-run')).status, 1)
  const made = await whitelist(cluster, 1, 'apply', file, '--yes', '--prune')
  t.is(made.status, 0, made.err)
  t.regex(made.out, /^- till-3$/m)
  t.regex(made.out, /^till-3 removed on 2 nodes$/m)
  t.regex(made.out, /^3 names added on 2 nodes$/m)
  const listed = JSON.parse((await whitelist(cluster, 2, 'list', '--json')).out)
  t.like(Object.fromEntries(listed.map((one: { subject: string }) => [one.subject, one])), {
    'client/till-1': { standing: 'granted', grants: [{ sensors: ['door'], reason: 'the front' }] },
    'client/till-2': { standing: 'granted' },
    'client/till-3': { standing: 'revoked' },
  })
  const again = await whitelist(cluster, 2, 'apply', file, '--prune')
  t.is(again.status, 0, again.err)
  t.regex(again.out, /^the list is as .*list\.yaml says$/)
})

test('whoever is stopped in the middle of a file is told how to see what is left, and to go on', async t => {
  await using cluster = await startCluster(t, { certs })
  const file = join(await makeTestFolder(t), 'a list.yaml')
  const names = Array.from({ length: 300 }, (_, index) => `till-${index}`)
  await writeFile(file, names.map(name => `- name: ${name}\n`).join(''))
  const stop = new AbortController()
  const node = ['--node', cluster.address(1)]
  const { status, err } = startCommand(['whitelist', 'apply', file, '--yes', '--prune', ...node], {
    env: { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'admin' },
    signal: stop.signal,
    progress: text => {
      if (text.startsWith('128 of')) stop.abort()
    },
  })
  t.is(await status, 1)
  t.regex(
    err.text,
    /^what is left to change, by name: fridge whitelist apply '.*a list\.yaml' --prune --dry-run; to go on: the same command again$/m,
  )
  const left = await whitelist(cluster, 1, 'apply', file, '--prune', '--dry-run')
  const count = left.out.split('\n').length
  t.true([172, 44].includes(count), 'a batch is made whole or not at all')
  const again = await whitelist(cluster, 1, 'apply', file, '--yes', '--prune')
  t.is(again.status, 0, again.err)
  t.regex(again.out, new RegExp(`^${count} names added on 1 node$`, 'm'))
})

test('what is exported is what is let in now, and applying it changes nothing', async t => {
  await using cluster = await startCluster(t, { certs })
  const folder = await makeTestFolder(t)
  t.regex(
    (await whitelist(cluster, 1, 'export')).err,
    /nobody is let in: fridge whitelist add NAME/,
  )
  await whitelist(
    cluster,
    1,
    'add',
    'till-1',
    '--sensor',
    'door',
    '--expires-in',
    '8h',
    '--reason',
    '"a", b',
  )
  await whitelist(cluster, 1, 'add', 'till-2', 'gone')
  await whitelist(cluster, 1, 'remove', 'gone')
  for (const format of ['yaml', 'csv', 'json']) {
    const file = join(folder, `list.${format}`)
    const { status, err } = await whitelist(cluster, 1, 'export', '--format', format, '--out', file)
    t.is(status, 0, err)
    t.notRegex(await readFile(file, 'utf8'), /gone|operator/)
    const applied = await whitelist(cluster, 1, 'apply', file, '--prune', '--json')
    t.is(applied.status, 0, applied.err)
    t.deepEqual(JSON.parse(applied.out), { added: [], changed: [], removed: [] }, format)
  }
})

test('a file that is not there, and one that is wrong, change nothing', async t => {
  await using cluster = await startCluster(t, { certs })
  const file = join(await makeTestFolder(t), 'list.csv')
  const missing = await whitelist(cluster, 1, 'apply', file, '--yes')
  t.is(missing.status, 2)
  t.regex(missing.err, /list\.csv cannot be read.*\n.*fridge whitelist export --out/)
  await writeFile(file, 'name\ntill-1\ntill 2\n')
  const wrong = await whitelist(cluster, 1, 'apply', file, '--yes')
  t.is(wrong.status, 2)
  t.regex(wrong.err, /list\.csv:3: "till 2" is not a name/)
  t.regex((await whitelist(cluster, 1, 'list')).err, /the whitelist is empty/)
})

test('a list shows only who was removed, whose time is nearly up, or who was let in by one operator', async t => {
  await using cluster = await startCluster(t, { certs })
  await whitelist(cluster, 1, 'add', 'short', '--expires-in', '8h')
  await whitelist(cluster, 1, 'add', 'long', '--expires-in', '30d')
  await whitelist(cluster, 1, 'add', 'open', 'gone')
  await whitelist(cluster, 1, 'remove', 'gone')
  const names = async (...filter: string[]): Promise<string[]> => {
    const { out } = await whitelist(cluster, 1, 'list', ...filter, '--json')
    return JSON.parse(out).map(({ subject }: { subject: string }) => subject.split('/')[1])
  }
  t.deepEqual(await names('--revoked'), ['gone'])
  t.deepEqual(await names('--expiring', '7d'), ['short'])
  t.deepEqual(await names('--expiring', '60d'), ['long', 'short'])
  t.deepEqual(await names('--by', 'operator/admin', '--revoked'), ['gone'])
  t.deepEqual(await names('--by', 'maria'), [])
  t.regex((await whitelist(cluster, 1, 'list', '--by', 'maria')).err, /nobody on the list is so/)
  t.is((await whitelist(cluster, 1, 'list', '--expiring', 'soon')).status, 2)
})

test('a sensor that a file misspells is said before it is asked', async t => {
  await using cluster = await startCluster(t, { certs })
  const file = join(await makeTestFolder(t), 'list.yaml')
  await writeFile(file, '- name: till-1\n  sensors: [temprature, door]\n')
  const { status, err } = await whitelist(cluster, 1, 'apply', file, '--dry-run')
  t.is(status, 1)
  t.is(err, 'no node has a sensor "temprature"; did you mean temperature?')
})
