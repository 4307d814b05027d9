import { randomBytes } from 'node:crypto'
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises'
import test from 'ava'
import { readAuthority } from '../../../node/authority/key-store.ts'
import { renewCertificate } from '../../../node/authority/renew.ts'
import {
  beginRotation,
  finishRotation,
  formerAuthorities,
  holdersIn,
  knownAuthorities,
  type Rotation,
} from '../../../node/authority/rotate.ts'
import { parseCertificates } from '../../../node/identity/certificate-chain.ts'
import { authorityFiles, credentialFiles } from '../../../node/identity/credential-files.ts'
import { makeTestCerts } from '../../support/certs.ts'

async function begin(dir: string): Promise<Rotation> {
  return beginRotation(dir, { now: Date.now(), random: randomBytes })
}

async function subjectsIn(file: string): Promise<string[]> {
  return parseCertificates(await readFile(file, 'utf8'), file).map(({ subject }) => subject)
}

/** Renew all who have a certificate in a folder, with its present authority. */
async function renewAll(dir: string): Promise<void> {
  const [authority, known] = [await readAuthority(dir), await knownAuthorities(dir)]
  for (const { role, name } of await holdersIn(dir)) {
    const { certificateFile: file } = credentialFiles(dir, role, name)
    const pem = await readFile(file, 'utf8')
    const options = { pem, file, authority, known, now: Date.now(), random: randomBytes }
    const { certificate } = await renewCertificate(options)
    await writeFile(file, certificate)
  }
}

test('after the beginning both authorities are trusted and the new one signs', async t => {
  const certs = await makeTestCerts(t, { nodes: ['alpha'], clients: ['c1'] })
  const { certificateFile, keyFile } = authorityFiles(certs.dir)
  const old = await readAuthority(certs.dir)
  const { signing } = await begin(certs.dir)
  t.deepEqual(await subjectsIn(certificateFile), ['CN=test.fridge CA 2', 'CN=test.fridge CA'])
  const authority = await readAuthority(certs.dir)
  t.is(authority.certificate.fingerprint256, signing.fingerprint256)
  t.is(authority.trustDomain, 'test.fridge')
  t.false(authority.privateKey.equals(old.privateKey))
  t.is((await stat(keyFile)).mode & 0o777, 0o600)
  // Those who have a certificate of the old one are still who they were, and so are renewed ones.
  await certs.load('client', 'c1')
  await renewAll(certs.dir)
  await certs.load('client', 'c1')
  t.is((await certs.load('node', 'alpha')).identity.trustDomain, 'test.fridge')
})

test('the end leaves the new authority alone and keeps the old one for old changes', async t => {
  const certs = await makeTestCerts(t, { nodes: ['alpha'] })
  const { certificateFile, formerFile } = authorityFiles(certs.dir)
  await begin(certs.dir)
  await renewAll(certs.dir)
  await finishRotation(certs.dir)
  t.deepEqual(await subjectsIn(certificateFile), ['CN=test.fridge CA 2'])
  t.deepEqual(await subjectsIn(formerFile), ['CN=test.fridge CA'])
  t.is((await certs.load('node', 'alpha')).former, await readFile(formerFile, 'utf8'))
  // And once more: every authority that was is kept, each under its own name.
  await begin(certs.dir)
  await renewAll(certs.dir)
  await finishRotation(certs.dir)
  t.deepEqual(await subjectsIn(certificateFile), ['CN=test.fridge CA 3'])
  t.deepEqual(await subjectsIn(formerFile), ['CN=test.fridge CA', 'CN=test.fridge CA 2'])
})

test('nobody in the folder is locked out by the end, unless it is forced', async t => {
  const certs = await makeTestCerts(t, { nodes: ['alpha'], clients: ['c1'] })
  await begin(certs.dir)
  const error = await t.throwsAsync(finishRotation(certs.dir), {
    code: 'ERR_CERTIFICATE',
    message: /would go: node\/alpha, client\/c1$/,
  })
  t.regex((error as { fix?: string }).fix ?? '', /^fridge certs renew --all --certs /)
  t.deepEqual(await formerAuthorities(certs.dir), [])
  await finishRotation(certs.dir, { force: true })
  await t.throwsAsync(certs.load('client', 'c1'), { code: 'ERR_CERTIFICATE' })
})

test('a rotation is not begun twice, and not ended before it began', async t => {
  const { dir } = await makeTestCerts(t)
  await t.throwsAsync(finishRotation(dir), { code: 'ERR_USAGE', message: /no rotation/ })
  await begin(dir)
  await t.throwsAsync(begin(dir), { code: 'ERR_USAGE', message: /under way/ })
})

test('an end that broke off between its two files is ended by the next', async t => {
  const { dir } = await makeTestCerts(t)
  const { certificateFile, formerFile } = authorityFiles(dir)
  await copyFile(certificateFile, formerFile)
  await begin(dir)
  await finishRotation(dir)
  t.deepEqual(await subjectsIn(formerFile), ['CN=test.fridge CA'])
  t.is((await subjectsIn(certificateFile)).length, 1)
})

test('a beginning that broke off between its two files leaves the old authority signing', async t => {
  const { dir } = await makeTestCerts(t)
  const { keyFile } = authorityFiles(dir)
  const [old, key] = [await readAuthority(dir), await readFile(keyFile)]
  await begin(dir)
  await writeFile(keyFile, key)
  t.is((await readAuthority(dir)).certificate.fingerprint256, old.certificate.fingerprint256)
})

test('a bundle that is cut off in a certificate is refused, not read as a shorter one', async t => {
  const certs = await makeTestCerts(t, { nodes: ['alpha'] })
  const { certificateFile } = authorityFiles(certs.dir)
  await begin(certs.dir)
  const pem = await readFile(certificateFile, 'utf8')
  const lines = pem.trimEnd().split('\n')
  await writeFile(certificateFile, lines.slice(0, -1).join('\n'))
  await t.throwsAsync(certs.load('node', 'alpha'), {
    code: 'ERR_CERTIFICATE',
    message: /one is cut off/,
  })
})
