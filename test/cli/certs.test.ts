import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { Command } from 'commander'
import type { CommandContext } from '../../cli/command.ts'
import { runCertsInit } from '../../cli/commands/certs-init.ts'
import { runCertsInspect } from '../../cli/commands/certs-inspect.ts'
import { runCertsIssue } from '../../cli/commands/certs-issue.ts'
import { fillCerts } from '../../cli/commands/certs.ts'
import type { CommandIo, ExitStatus } from '../../cli/io.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { loadCredentials } from '../../node/identity/credentials.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { parseName } from '../../node/identity/names.ts'
import { makeTestFolder } from '../support/certs.ts'

interface Recorded {
  readonly io: CommandIo
  readonly out: string[]
  readonly err: string[]
}

function record(cwd: string, env: CommandIo['env'] = {}): Recorded {
  const out: string[] = []
  const err: string[] = []
  const io: CommandIo = {
    out: line => void out.push(line),
    err: line => void err.push(line),
    noteDone: () => {},
    readInput: async () => '',
    hasColours: false,
    isLogRead: false,
    log: () => {},
    serveUnheard: () => {},
    progress: () => {},
    redraw: () => {},
    env,
    cwd,
    signal: new AbortController().signal,
    clock: systemClock,
    onReload: () => ({ [Symbol.dispose]: () => {} }),
    self: ['fridge'],
  }
  return { io, out, err }
}

test('init and issue make a folder whose credentials load, and say the next command', async t => {
  const cwd = await makeTestFolder(t)
  const { io, out, err } = record(cwd)
  t.is(await runCertsInit({}, io), 0)
  t.true(out.includes(`  ${join('certs', 'ca', 'private-key.pem')}`))
  t.true(out.includes(`  ${join('certs', 'operators', 'admin', 'certificate.pem')}`))
  t.is(out.at(-1), 'Next: fridge certs issue node NAME --host HOST')
  for (const [role, name, next] of [
    ['node', 'alpha', 'Next: fridge node start --name alpha'],
    ['client', 'c1', 'Next: fridge whitelist add c1'],
    ['operator', 'maria', 'Next: fridge whitelist list --as maria'],
  ] as const) {
    t.is(await runCertsIssue(role, name, {}, io), 0)
    t.is(out.at(-1), next)
    const from = { dir: join(cwd, 'certs'), role, name: parseName(name) }
    t.is((await loadCredentials(from)).identity.trustDomain, 'fridge')
  }
  t.deepEqual(err, [])
})

test('no line of output, in text or JSON, holds key material', async t => {
  const cwd = await makeTestFolder(t)
  const { io, out, err } = record(cwd)
  await runCertsInit({ json: true }, io)
  await runCertsIssue('node', 'alpha', {}, io)
  await runCertsIssue('client', 'c1', { json: true }, io)
  for (const file of ['ca', 'nodes/alpha', 'clients/c1', 'operators/admin']) {
    const key = await readFile(join(cwd, 'certs', file, 'private-key.pem'), 'utf8')
    for (const line of key.split('\n').filter(line => line !== '' && !line.startsWith('-'))) {
      t.false([...out, ...err].join('\n').includes(line))
    }
  }
})

test('the folder is --certs, else FRIDGE_CERTS, else ./certs', async t => {
  const cwd = await makeTestFolder(t)
  const { io, out } = record(cwd, { FRIDGE_CERTS: 'from env' })
  await runCertsInit({}, io)
  t.true(out.includes(`  ${join('from env', 'ca', 'certificate.pem')}`))
  t.is(out.at(-1), 'Next: fridge certs issue node NAME --host HOST')
  await runCertsInit({ certs: 'my certs' }, io)
  t.true(out.includes(`  ${join('my certs', 'ca', 'certificate.pem')}`))
  t.is(out.at(-1), "Next: fridge certs issue node NAME --host HOST --certs 'my certs'")
})

test('options reach the certificate', async t => {
  const cwd = await makeTestFolder(t)
  const { io, out } = record(cwd)
  await runCertsInit({ trustDomain: 'shop.example', operator: 'maria', days: '40', json: true }, io)
  t.like(JSON.parse(out[0] ?? ''), {
    authority: { certificate: { trustDomain: 'shop.example', daysLeft: 40 } },
    operator: { certificate: { name: 'maria', trustDomain: 'shop.example', daysLeft: 40 } },
  })
  await runCertsIssue(
    'node',
    'alpha',
    { host: ['a.example'], days: '7', keyType: 'rsa', json: true },
    io,
  )
  t.like(JSON.parse(out[1] ?? ''), {
    keyFile: join(cwd, 'certs/nodes/alpha/private-key.pem'),
    certificate: { hosts: ['a.example'], daysLeft: 7, keyType: 'RSA 2048' },
  })
  t.is(out.length, 2)
})

test('nothing is replaced without --force, and with it the people concerned are warned', async t => {
  const cwd = await makeTestFolder(t)
  const { io, err } = record(cwd)
  await runCertsInit({}, io)
  const ca = join(cwd, 'certs/ca/certificate.pem')
  const before = await readFile(ca, 'utf8')
  const exists = { instanceOf: FridgeError, code: 'ERR_FILE_EXISTS' }
  t.regex((await t.throwsAsync(runCertsInit({}, io), exists))?.fix ?? '', /--force/)
  await t.throwsAsync(runCertsIssue('operator', 'admin', {}, io), exists)
  t.is(await readFile(ca, 'utf8'), before)
  t.deepEqual(err, [])
  t.is(await runCertsInit({ force: true }, io), 0)
  t.not(await readFile(ca, 'utf8'), before)
  t.regex(err.join(), /No certificate of the authority before is trusted any more/)
})

test('init that stops at the operator has made no authority either', async t => {
  const cwd = await makeTestFolder(t)
  const { io } = record(cwd)
  await runCertsInit({}, io)
  await rm(join(cwd, 'certs/ca'), { recursive: true })
  await t.throwsAsync(runCertsInit({}, io), { code: 'ERR_FILE_EXISTS', message: /operators.admin/ })
  await t.throwsAsync(readFile(join(cwd, 'certs/ca/certificate.pem')), { code: 'ENOENT' })
})

test('what was typed wrong is refused before anything is written', async t => {
  const cwd = await makeTestFolder(t)
  const { io } = record(cwd)
  await runCertsInit({}, io)
  const usage = { instanceOf: FridgeError, code: 'ERR_USAGE' }
  await t.throwsAsync(runCertsIssue('Node', 'alpha', {}, io), usage)
  await t.throwsAsync(runCertsIssue('node', '../alpha', {}, io), usage)
  await t.throwsAsync(runCertsIssue('client', 'c1', { host: ['x'] }, io), usage)
  for (const days of ['', '0', '-1', '1.5', 'x', '36501', '1e3', '99999999']) {
    await t.throwsAsync(runCertsIssue('node', 'alpha', { days }, io), usage, days)
  }
  await t.throwsAsync(runCertsIssue('node', 'alpha', { keyType: 'dsa' }, io), usage)
  await t.throwsAsync(runCertsInit({ certs: 'b', trustDomain: 'A B' }, io), usage)
  await t.throwsAsync(readFile(join(cwd, 'certs/nodes/alpha/certificate.pem')), { code: 'ENOENT' })
  await t.throwsAsync(readFile(join(cwd, 'b/ca/certificate.pem')), { code: 'ENOENT' })
})

test('inspect ends with 1 when there is a warning, and tells a key from a certificate', async t => {
  const cwd = await makeTestFolder(t)
  const { io, out } = record(cwd)
  await runCertsInit({}, io)
  await runCertsIssue('client', 'c1', { days: '5' }, io)
  out.length = 0
  t.is(await runCertsInspect('certs/operators/admin/certificate.pem', {}, io), 0)
  t.is(out[0], 'operator admin')
  out.length = 0
  // Whoever gets a short certificate is not warned from its first day on.
  t.is(await runCertsInspect('certs/clients/c1/certificate.pem', {}, io), 0)
  out.length = 0
  const clock = { ...systemClock, now: () => Date.now() + 4 * 86_400_000 }
  const later = runCertsInspect(
    'certs/clients/c1/certificate.pem',
    { json: true },
    { ...io, clock },
  )
  t.is(await later, 1)
  t.like(JSON.parse(out.join('\n')), {
    certificates: [{ role: 'client', warnings: ['it expires in 1 day'] }],
  })
  const key = runCertsInspect('certs/clients/c1/private-key.pem', {}, io)
  const message = /is not a certificate: it holds a PRIVATE KEY/
  await t.throwsAsync(key, { code: 'ERR_CERTIFICATE', message })
  await t.throwsAsync(runCertsInspect('none.pem', {}, io), { code: 'ERR_KEY_FILE' })
  await writeFile(join(cwd, 'big.pem'), ' '.repeat(5 * 1024 * 1024))
  await t.throwsAsync(runCertsInspect('big.pem', {}, io), { message: /too large/ })
})

test('the commands are found by the words that a person types', async t => {
  const cwd = await makeTestFolder(t)
  const { io, out } = record(cwd)
  const statuses: ExitStatus[] = []
  const context: CommandContext = {
    io,
    action:
      run =>
      async (...args) => {
        statuses.push(await run(...args))
      },
  }
  const type = async (line: string): Promise<void> => {
    const program = new Command().exitOverride()
    fillCerts(program.command('certs'), context)
    await program.parseAsync(line.split(' '), { from: 'user' })
  }
  await type('certs init --certs c --trust-domain shop.example --operator maria --days 9 --json')
  await type('certs issue node alpha --host a.example --host 10.0.0.5 --certs c --days 3 --json')
  await type('certs issue node alpha --certs c --key-type ed25519 --force --json')
  await type('certs inspect c/ca/certificate.pem --json')
  t.deepEqual(statuses, [0, 0, 0, 0])
  const [init, issue, again] = out.map((line): unknown => JSON.parse(line))
  t.like(init, { operator: { certificate: { name: 'maria', trustDomain: 'shop.example' } } })
  t.like(issue, { certificate: { hosts: ['a.example', '10.0.0.5'], daysLeft: 3 } })
  t.like(again, { certificate: { keyType: 'Ed25519' } })
})
