import { X509Certificate } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { ExitStatus } from '../../cli/io.ts'
import { credentialFiles } from '../../node/identity/credential-files.ts'
import { parseName, type Role } from '../../node/identity/names.ts'
import { makeTestCerts, makeTestFolder, type TestCerts } from '../support/certs.ts'
import { runCommand, spawnCli, type CommandResult } from '../support/cli.ts'

const PEOPLE = { nodes: ['alpha'], clients: ['c1'], operators: ['maria'] }

async function certsCommand({ dir }: TestCerts, ...args: string[]): Promise<CommandResult> {
  return runCommand(['certs', ...args], { env: { FRIDGE_CERTS: dir }, cwd: dir })
}

function filesOf({ dir }: TestCerts, role: Role, name: string) {
  return credentialFiles(dir, role, parseName(name))
}

async function certificateOf(certs: TestCerts, role: Role, name: string): Promise<X509Certificate> {
  return new X509Certificate(await readFile(filesOf(certs, role, name).certificateFile))
}

test('renew replaces the certificate of a role and name, keeps the key, and says what changed', async t => {
  const certs = await makeTestCerts(t, PEOPLE)
  const before = await certificateOf(certs, 'node', 'alpha')
  const key = await readFile(filesOf(certs, 'node', 'alpha').keyFile, 'utf8')
  const { status, out, err } = await certsCommand(certs, 'renew', 'node', 'alpha', '--days', '90')
  t.is(status, 0)
  t.is(err, '')
  const after = await certificateOf(certs, 'node', 'alpha')
  t.not(after.fingerprint256, before.fingerprint256)
  t.true(after.publicKey.equals(before.publicKey))
  t.is(after.subjectAltName, before.subjectAltName)
  t.is(await readFile(filesOf(certs, 'node', 'alpha').keyFile, 'utf8'), key)
  const [until, was] = [after, before].map(one => one.validToDate.toISOString().slice(0, 10))
  t.deepEqual(out.split('\n'), [
    `node alpha (ECDSA P-256, until ${until}, for alpha, localhost, 127.0.0.1, ::1)`,
    `  ${join('nodes', 'alpha', 'certificate.pem')}`,
    `  valid until ${until}, before ${was}`,
    '  the same key',
    '  signed by "CN=test.fridge CA"',
    'Next: copy it to where it is used; a running node takes it up without a restart',
  ])
  t.is((await certs.load('node', 'alpha')).identity.notAfter, after.validToDate.getTime())
})

test('renew with a new key writes both files, and no line holds key material', async t => {
  const certs = await makeTestCerts(t, PEOPLE)
  const { keyFile } = filesOf(certs, 'client', 'c1')
  const before = await readFile(keyFile, 'utf8')
  const results = [
    await certsCommand(certs, 'renew', 'client', 'c1', '--new-key'),
    await certsCommand(certs, 'renew', 'client', 'c1', '--new-key', '--json'),
  ]
  const key = await readFile(keyFile, 'utf8')
  t.not(key, before)
  t.is((await stat(keyFile)).mode & 0o777, 0o600)
  await certs.load('client', 'c1')
  t.regex(results[0]?.out ?? '', /a new key: grants that pin the key before do not cover it/)
  for (const { status, out, err } of results) {
    t.is(status, 0)
    for (const line of key.split('\n').filter(line => line !== '' && !line.startsWith('-'))) {
      t.false(`${out}${err}`.includes(line))
    }
  }
})

test('renew takes a file, and --all takes everyone in the folder', async t => {
  const certs = await makeTestCerts(t, PEOPLE)
  const everyone = async () =>
    Promise.all([
      certificateOf(certs, 'node', 'alpha'),
      certificateOf(certs, 'operator', 'maria'),
      certificateOf(certs, 'client', 'c1'),
    ])
  const first = await everyone()
  t.is((await certsCommand(certs, 'renew', 'clients/c1/certificate.pem')).status, 0)
  const second = await everyone()
  t.deepEqual(
    second.map((one, index) => one.serialNumber === first[index]?.serialNumber),
    [true, true, false],
  )
  const { status, out } = await certsCommand(certs, 'renew', '--all', '--json')
  t.is(status, 0)
  const documents = out
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, { name: string }>)
  t.deepEqual(
    documents.map(({ certificate }) => certificate?.name),
    ['alpha', 'maria', 'c1'],
  )
  const third = await everyone()
  t.true(third.every((one, index) => one.serialNumber !== second[index]?.serialNumber))
})

test('what renew cannot do is refused with what mends it, and nothing is written', async t => {
  const [certs, foreign] = await Promise.all([makeTestCerts(t, PEOPLE), makeTestCerts(t, PEOPLE)])
  const before = await certificateOf(certs, 'node', 'alpha')
  const cases: [string[], ExitStatus, RegExp][] = [
    [[], 2, /to mend it: fridge certs renew node\|client\|operator NAME/],
    [['node'], 2, /node is not a role and a name/],
    [['nodes', 'alpha'], 2, /nodes alpha is not a role and a name/],
    [['node', 'alpha', '--all'], 2, /--all stands alone/],
    [['node', 'alpha', '--days', '0'], 2, /is not a number of days/],
    [['node', 'beta'], 1, /there is no such file\n.*fridge certs issue/],
    [['node', 'alpha', '--certs', foreign.dir], 0, /^$/],
    [[filesOf(foreign, 'node', 'alpha').certificateFile], 1, /cannot be renewed: it was signed by/],
    [['ca/certificate.pem'], 1, /fridge certs rotate-ca begin/],
  ]
  for (const [args, exit, message] of cases) {
    const { status, err } = await certsCommand(certs, 'renew', ...args)
    t.is(status, exit, args.join(' '))
    t.regex(err, message)
  }
  t.is((await certificateOf(certs, 'node', 'alpha')).fingerprint256, before.fingerprint256)
})

test('rotate-ca leads from one authority to the next, step by step', async t => {
  const certs = await makeTestCerts(t, PEOPLE)
  const early = await certsCommand(certs, 'rotate-ca', 'finish')
  t.is(early.status, 2)
  t.regex(early.err, /no rotation is under way.*\n.*fridge certs rotate-ca begin/)

  const begun = await certsCommand(certs, 'rotate-ca', 'begin', '--days', '400')
  t.is(begun.status, 0)
  t.regex(
    begun.out,
    /^"CN=test\.fridge CA 2" signs from now on, and "CN=test\.fridge CA" is trusted/,
  )
  t.regex(
    begun.out,
    /1\. copy ca.certificate\.pem to every node.*\n.*2\. fridge certs renew --all.*\n.*3\. fridge certs rotate-ca finish$/,
  )

  const hasty = await certsCommand(certs, 'rotate-ca', 'finish')
  t.is(hasty.status, 1)
  t.regex(hasty.err, /node\/alpha, operator\/maria, client\/c1\n.*fridge certs renew --all/)

  const renewed = await certsCommand(certs, 'renew', '--all')
  t.regex(renewed.out, /signed by "CN=test\.fridge CA 2", before by "CN=test\.fridge CA"/)
  const finished = await certsCommand(certs, 'rotate-ca', 'finish', '--json')
  t.is(finished.status, 0)
  t.like(JSON.parse(finished.out), {
    signing: 'CN=test.fridge CA 2',
    former: ['CN=test.fridge CA'],
    formerFile: join(certs.dir, 'ca', 'former.pem'),
  })
  for (const [role, name] of [
    ['node', 'alpha'],
    ['operator', 'maria'],
    ['client', 'c1'],
  ] as const) {
    await certs.load(role, name)
  }
})

test('SIGHUP makes a node read its certificates again, and does not stop it', async t => {
  const certs = await makeTestCerts(t, PEOPLE)
  const cwd = await makeTestFolder(t)
  const args = ['--name', 'alpha', '--listen', '127.0.0.1:0', '--certs', certs.dir]
  const node = spawnCli(t, ['node', 'start', ...args], { cwd })
  await node.out.find(/ready/)
  node.child.kill('SIGHUP')
  await node.err.find(/the certificates are the same as before/)
  const { certificateFile } = filesOf(certs, 'node', 'alpha')
  await writeFile(certificateFile, 'nonsense')
  node.child.kill('SIGHUP')
  const refusal = await node.err.find(/those before stay in force/)
  t.like(JSON.parse(refusal), {
    reason: `${certificateFile} is not a certificate: it holds no PEM block`,
  })
  node.child.kill('SIGTERM')
  t.is(await node.exit, 0)
})
