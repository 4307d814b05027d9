import { generateKeyPairSync } from 'node:crypto'
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { authorityFiles, credentialFiles } from '../../../node/identity/credential-files.ts'
import {
  findCredentials,
  loadCredentialFiles,
  loadCredentials,
} from '../../../node/identity/credentials.ts'
import { FridgeError, type ErrorCode } from '../../../node/lib/errors.ts'
import { parseName, type Role } from '../../../node/identity/names.ts'
import { makeTestCerts, makeTestFolder } from '../../support/certs.ts'

const alpha = parseName('alpha')

/** What a person is told: every refusal has a code, a reason and a next step. */
async function refused(
  t: ExecutionContext,
  load: () => Promise<unknown>,
  [code, message, fix]: readonly [ErrorCode, RegExp, RegExp],
): Promise<FridgeError | undefined> {
  const error = await t.throwsAsync(load, { instanceOf: FridgeError, code, message })
  t.regex(error?.fix ?? '', fix)
  return error
}

test('credentials are the key, the chain, the authorities and who they say one is', async t => {
  const certs = await makeTestCerts(t, { nodes: ['alpha'] })
  const files = credentialFiles(certs.dir, 'node', alpha)
  const credentials = await loadCredentials({ dir: certs.dir, role: 'node', name: alpha })
  t.is(credentials.key, await readFile(files.keyFile, 'utf8'))
  t.is(credentials.certificate, await readFile(files.certificateFile, 'utf8'))
  t.is(credentials.ca, certs.ca)
  t.is<string, string>(credentials.identity.subject, 'node/alpha')
  t.deepEqual(credentials.warnings, [])
  t.deepEqual(await loadCredentialFiles(files, { role: 'node' }), credentials)
})

test('a folder that is not there, or holds no authority, is made with certs init', async t => {
  const dir = await makeTestFolder(t)
  const missing = join(dir, 'none')
  await refused(t, () => loadCredentials({ dir: missing, role: 'node', name: alpha }), [
    'ERR_KEY_FILE',
    /holds no certificates: there is no such folder/,
    /fridge certs init --certs .*none/,
  ])
  await refused(t, () => findCredentials({ dir, role: 'operator' }), [
    'ERR_KEY_FILE',
    /holds no certificates: .*certificate\.pem is missing/,
    /fridge certs init/,
  ])
})

test('where the key of the authority is elsewhere, a certificate is asked for, and no other authority made', async t => {
  const { dir } = await makeTestCerts(t, { clients: ['alpha', 'beta'] })
  const { certificateFile, keyFile } = authorityFiles(dir)
  await rm(keyFile)
  const request = /^fridge certs request operator NAME --certs .*, then fridge certs sign where/
  const none = ['ERR_KEY_FILE', /there is no operator in/, request] as const
  await refused(t, () => findCredentials({ dir, role: 'operator' }), none)
  const load = () => loadCredentials({ dir, role: 'client', name: alpha })
  const own = credentialFiles(dir, 'client', alpha)
  await rm(own.certificateFile)
  const waits = ['ERR_KEY_FILE', /the certificate is missing/, /^fridge certs accept FILE/] as const
  await refused(t, load, waits)
  await rm(certificateFile)
  const copied = ['ERR_KEY_FILE', /certificate\.pem is missing/, /^copy it from where/] as const
  await refused(t, load, copied)
  await rm(credentialFiles(dir, 'client', parseName('beta')).certificateFile)
  const first = [
    'ERR_KEY_FILE',
    /certificate\.pem is missing/,
    /^fridge certs accept FILE/,
  ] as const
  await refused(t, load, first)
})

test('a name that was never issued is issued', async t => {
  const { dir } = await makeTestCerts(t)
  await refused(t, () => loadCredentials({ dir, role: 'client', name: alpha }), [
    'ERR_KEY_FILE',
    /there is no client alpha in/,
    /^fridge certs issue client alpha --certs/,
  ])
})

test('a missing key, a missing certificate and a missing bundle are told apart', async t => {
  for (const [file, why] of [
    ['keyFile', /the private key is missing: there is no .*private-key\.pem/],
    ['certificateFile', /the certificate is missing: there is no .*alpha.certificate\.pem/],
    ['caFile', /the bundle of authorities is missing: there is no .*ca.certificate\.pem/],
  ] as const) {
    const { dir } = await makeTestCerts(t, { nodes: ['alpha'] })
    const files = credentialFiles(dir, 'node', alpha)
    await rm(files[file])
    await refused(t, () => loadCredentialFiles(files), ['ERR_KEY_FILE', why, /./])
  }
})

test('a key file that is no usable key says why, and nothing of what it holds', async t => {
  const { dir } = await makeTestCerts(t, { nodes: ['alpha'] })
  const files = credentialFiles(dir, 'node', alpha)
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const encrypted = {
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  } as const
  const key = await readFile(files.keyFile, 'utf8')
  const body = key.split('\n')[1] ?? ''
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  for (const [text, code, why, fix] of [
    ['', 'ERR_KEY_FILE', /holds no private key in PEM/, /./],
    ['hello', 'ERR_KEY_FILE', /holds no private key in PEM/, /./],
    [publicKey.export({ type: 'spki', format: 'pem' }), 'ERR_KEY_FILE', /no private key/, /./],
    [key.replace(body.slice(0, 20), 'A'.repeat(20)), 'ERR_KEY_FILE', /is damaged/, /again/],
    [privateKey.export(encrypted), 'ERR_KEY_FILE', /is encrypted/, /^openssl pkey -in/],
    [weak.export({ type: 'pkcs8', format: 'pem' }), 'ERR_CERTIFICATE', /RSA 1024/, /2048/],
  ] as const) {
    await writeFile(files.keyFile, text)
    const error = await refused(t, () => loadCredentialFiles(files), [code, why, fix])
    t.is(error?.cause, undefined)
    t.false(`${error?.message} ${error?.fix} ${error?.stack}`.includes(body))
  }
})

test('a certificate file that is none says what it is instead', async t => {
  const { dir } = await makeTestCerts(t, { nodes: ['alpha'] })
  const files = credentialFiles(dir, 'node', alpha)
  const key = await readFile(files.keyFile, 'utf8')
  const pem = await readFile(files.certificateFile, 'utf8')
  for (const [text, why] of [
    ['', /is not a certificate: it holds no PEM block/],
    ['\u0000\u0001', /is not a certificate: it holds no PEM block/],
    [key, /is not a certificate: it holds a PRIVATE KEY/],
    [pem.replace(/\n.{30}/, '\n'), /certificate 1 in .* cannot be read/],
    [pem.slice(0, pem.length / 2), /is not a certificate/],
    [`${pem}${pem.replace(/\n.{30}/, '\n')}`, /certificate 2 in .* cannot be read/],
  ] as const) {
    await writeFile(files.certificateFile, text)
    await refused(t, () => loadCredentialFiles(files), ['ERR_CERTIFICATE', why, /./])
  }
})

test('text before and between the certificates of a file is skipped', async t => {
  const { dir, ca } = await makeTestCerts(t, { nodes: ['alpha'] })
  const files = credentialFiles(dir, 'node', alpha)
  const pem = await readFile(files.certificateFile, 'utf8')
  await writeFile(files.certificateFile, `Certificate:\n  Issuer: CN=x\r\n${pem}\nthen:\n${ca}`)
  const { identity } = await loadCredentialFiles(files)
  t.is<string, string>(identity.name, 'alpha')
})

test('a key that belongs to another certificate is refused', async t => {
  const { dir } = await makeTestCerts(t, { nodes: ['alpha', 'beta'] })
  const files = credentialFiles(dir, 'node', alpha)
  await copyFile(credentialFiles(dir, 'node', parseName('beta')).keyFile, files.keyFile)
  await refused(t, () => loadCredentials({ dir, role: 'node', name: alpha }), [
    'ERR_CERTIFICATE',
    /the key in .*alpha.private-key\.pem is not the key of this certificate/,
    /^fridge certs issue node alpha --certs .* --force$/,
  ])
})

test('a certificate holds from its first to its last moment', async t => {
  const { dir } = await makeTestCerts(t, { nodes: ['alpha'] })
  const from = { dir, role: 'node', name: alpha } as const
  const { identity } = await loadCredentials(from)
  const at = (now: number) => () => loadCredentials(from, { now })
  await t.notThrowsAsync(at(identity.notBefore))
  await t.notThrowsAsync(at(identity.notAfter))
  const renew = /^fridge certs renew node alpha --certs /
  const late = [/it expired on \d{4}-/, renew] as const
  await refused(t, at(identity.notAfter + 1), ['ERR_CERTIFICATE', ...late])
  const early = [
    /is not valid before .*, and the clock here says \d{4}-/,
    /^set the clock of this machine/,
  ] as const
  await refused(t, at(identity.notBefore - 1), ['ERR_CERTIFICATE', ...early])
})

test('a certificate of another authority is refused, also when that has the same name', async t => {
  const [ours, theirs] = await Promise.all([
    makeTestCerts(t, { nodes: ['alpha'] }),
    makeTestCerts(t, { nodes: ['alpha'] }),
  ])
  const files = credentialFiles(ours.dir, 'node', alpha)
  const foreign = { ...files, caFile: authorityFiles(theirs.dir).certificateFile }
  await refused(t, () => loadCredentialFiles(foreign), [
    'ERR_CERTIFICATE',
    /no authority in .* vouches for it: it was signed by another authority of the same name/,
    /./,
  ])
  const self = { ...files, caFile: files.certificateFile }
  await refused(t, () => loadCredentialFiles(self), [
    'ERR_CERTIFICATE',
    /it was issued by "CN=test.fridge CA", and trusted is only "CN=alpha"/,
    /./,
  ])
})

test('a bundle may hold several authorities', async t => {
  const [ours, theirs] = await Promise.all([
    makeTestCerts(t, { nodes: ['alpha'] }),
    makeTestCerts(t),
  ])
  const files = credentialFiles(ours.dir, 'node', alpha)
  await writeFile(files.caFile, `${theirs.ca}${ours.ca}`)
  const { ca } = await loadCredentialFiles(files)
  t.is(ca, `${theirs.ca}${ours.ca}`)
})

test('the certificate of another role or another name is refused', async t => {
  const { dir } = await makeTestCerts(t, { clients: ['alpha'], nodes: ['beta'] })
  const files = credentialFiles(dir, 'client', alpha)
  await refused(t, () => loadCredentialFiles(files, { role: 'operator' }), [
    'ERR_CERTIFICATE',
    /it is the certificate of a client, and an operator's is needed/,
    /^fridge certs issue operator/,
  ])
  const misplaced = credentialFiles(dir, 'node', alpha)
  await mkdir(join(dir, 'nodes', 'alpha'))
  const beta = credentialFiles(dir, 'node', parseName('beta'))
  await copyFile(beta.keyFile, misplaced.keyFile)
  await copyFile(beta.certificateFile, misplaced.certificateFile)
  await refused(t, () => loadCredentials({ dir, role: 'node', name: alpha }), [
    'ERR_CERTIFICATE',
    /belongs to node\/beta, not to node\/alpha/,
    /^fridge certs issue node alpha/,
  ])
})

test('a key that others can read is a warning with the command that closes it', async t => {
  const certs = await makeTestCerts(t, { nodes: ['alpha'] })
  const { keyFile } = credentialFiles(certs.dir, 'node', alpha)
  for (const [mode, shown] of [
    [0o644, '644'],
    [0o640, '640'],
    [0o602, '602'],
  ] as const) {
    await chmod(keyFile, mode)
    const { warnings } = await certs.load('node', 'alpha')
    t.is(warnings.length, 1)
    t.true(warnings[0]?.includes(`(mode ${shown}); close it: chmod 600 ${keyFile}`))
  }
  await chmod(keyFile, 0o400)
  t.deepEqual((await certs.load('node', 'alpha')).warnings, [])
})

test('a folder in the place of a file says what stands there', async t => {
  const { dir } = await makeTestCerts(t, { nodes: ['alpha'] })
  const files = credentialFiles(dir, 'node', alpha)
  await rm(files.keyFile)
  await mkdir(files.keyFile)
  await refused(t, () => loadCredentialFiles(files), [
    'ERR_KEY_FILE',
    /private-key\.pem cannot be read: EISDIR/,
    /^ls? ?.*ls -ld/,
  ])
})

test('without a name, the only one of the role is meant', async t => {
  const { dir } = await makeTestCerts(t, { operators: ['maria'], clients: ['c1', 'c2'] })
  const find = (role: Role) => findCredentials({ dir, role })
  t.is<string, string>((await find('operator')).identity.subject, 'operator/maria')
  await refused(t, () => find('client'), [
    'ERR_USAGE',
    /holds several clients: c1, c2/,
    /choose one: --as c1/,
  ])
  await refused(t, () => find('node'), [
    'ERR_KEY_FILE',
    /there is no node in/,
    /^fridge certs issue node NAME/,
  ])
  const named = await findCredentials({ dir, role: 'client', name: parseName('c2') })
  t.is<string, string>(named.identity.name, 'c2')
})
