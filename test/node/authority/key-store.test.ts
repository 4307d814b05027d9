import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { assertReplaceable, readAuthority, writePair } from '../../../node/authority/key-store.ts'
import { authorityFiles, credentialFiles } from '../../../node/identity/credential-files.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { parseName } from '../../../node/identity/names.ts'
import { makeTestCerts, makeTestFolder } from '../../support/certs.ts'

const first = { key: 'first key\n', certificate: 'first certificate\n' }
const second = { key: 'second key\n', certificate: 'second certificate\n' }
const exists = { instanceOf: FridgeError, code: 'ERR_FILE_EXISTS' }

async function files(t: Parameters<typeof makeTestFolder>[0]) {
  const dir = await makeTestFolder(t)
  return credentialFiles(dir, 'node', parseName('alpha'))
}

async function mode(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8)
}

// Serial: the mask belongs to the whole process.
test.serial(
  "a key is its owner's alone, whatever the mask, and a certificate is for all",
  async t => {
    const before = process.umask()
    t.teardown(() => process.umask(before))
    for (const mask of [0o000, 0o077]) {
      process.umask(mask)
      const { keyFile, certificateFile } = await files(t)
      await writePair({ keyFile, certificateFile }, first)
      t.is(await mode(keyFile), '600')
      t.is(await mode(certificateFile), '644')
      t.is(await mode(dirname(keyFile)), '700')
      t.is(await mode(dirname(dirname(keyFile))), '700')
      t.is(await readFile(keyFile, 'utf8'), first.key)
      t.is(await readFile(certificateFile, 'utf8'), first.certificate)
      t.deepEqual(await readdir(dirname(keyFile)), ['certificate.pem', 'private-key.pem'])
    }
  },
)

test('what is there stays without force, and both files are replaced with it', async t => {
  const pair = await files(t)
  await writePair(pair, first)
  const error = await t.throwsAsync(writePair(pair, second), exists)
  t.regex(error?.fix ?? '', /--force/)
  t.is(await readFile(pair.keyFile, 'utf8'), first.key)
  t.is(await readFile(pair.certificateFile, 'utf8'), first.certificate)
  await writePair(pair, second, { force: true })
  t.is(await readFile(pair.keyFile, 'utf8'), second.key)
  t.is(await readFile(pair.certificateFile, 'utf8'), second.certificate)
  t.is(await mode(pair.keyFile), '600')
  t.deepEqual(await readdir(dirname(pair.keyFile)), ['certificate.pem', 'private-key.pem'])
})

test('one file of the two is enough to refuse, and then nothing new is left behind', async t => {
  for (const present of ['keyFile', 'certificateFile'] as const) {
    const pair = await files(t)
    await mkdir(dirname(pair.keyFile), { recursive: true })
    await writeFile(pair[present], 'mine')
    await t.throwsAsync(assertReplaceable(pair), exists)
    await t.throwsAsync(writePair(pair, first), exists)
    t.is(await readFile(pair[present], 'utf8'), 'mine')
    t.is((await readdir(dirname(pair.keyFile))).length, 1)
    await t.notThrowsAsync(assertReplaceable(pair, { force: true }))
    await writePair(pair, first, { force: true })
    t.is(await readFile(pair.keyFile, 'utf8'), first.key)
    t.is(await readFile(pair.certificateFile, 'utf8'), first.certificate)
  }
})

test('when the key cannot take its place, the certificate before comes back', async t => {
  const pair = await files(t)
  await mkdir(pair.keyFile, { recursive: true })
  await writeFile(join(pair.keyFile, 'in-the-way'), '')
  const failure = { instanceOf: FridgeError, code: 'ERR_KEY_FILE' }
  await t.throwsAsync(writePair(pair, second, { force: true }), failure)
  t.deepEqual(await readdir(dirname(pair.keyFile)), ['private-key.pem'])
  await writeFile(pair.certificateFile, first.certificate)
  await t.throwsAsync(writePair(pair, second, { force: true }), failure)
  t.is(await readFile(pair.certificateFile, 'utf8'), first.certificate)
  t.deepEqual(await readdir(dirname(pair.keyFile)), ['certificate.pem', 'private-key.pem'])
})

test('of many who issue the same name at once, one wins and both files are theirs', async t => {
  const pair = await files(t)
  const writers = Array.from({ length: 8 }, (_, index) => String(index))
  const outcomes = await Promise.allSettled(
    writers.map(text => writePair(pair, { key: text, certificate: text })),
  )
  t.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  t.is(await readFile(pair.keyFile, 'utf8'), await readFile(pair.certificateFile, 'utf8'))
  t.is((await readdir(dirname(pair.keyFile))).length, 2)
})

test('attack: a link in the place of the key is replaced, not written through', async t => {
  const pair = await files(t)
  const elsewhere = join(await makeTestFolder(t), 'elsewhere')
  await writeFile(elsewhere, 'untouched')
  await mkdir(dirname(pair.keyFile), { recursive: true })
  await symlink(elsewhere, pair.keyFile)
  await t.throwsAsync(writePair(pair, first), exists)
  await writePair(pair, first, { force: true })
  t.is(await readFile(elsewhere, 'utf8'), 'untouched')
  t.is(await readFile(pair.keyFile, 'utf8'), first.key)
})

test('a place that cannot be written says so with what to look at', async t => {
  const dir = await makeTestFolder(t)
  await writeFile(join(dir, 'nodes'), 'a file where a folder belongs')
  const pair = credentialFiles(dir, 'node', parseName('alpha'))
  const error = await t.throwsAsync(writePair(pair, first), {
    instanceOf: FridgeError,
    code: 'ERR_KEY_FILE',
    message: /alpha cannot be written: /,
  })
  t.regex(error?.fix ?? '', /ls -ld/)
})

test('an authority is read back from its folder, and another one is made only where there is none', async t => {
  const { dir } = await makeTestCerts(t)
  t.is((await readAuthority(dir)).trustDomain, 'test.fridge')
  await chmod(authorityFiles(dir).keyFile, 0o400)
  await t.notThrowsAsync(readAuthority(dir))
  const { keyFile, certificateFile } = authorityFiles(dir)
  for (const [file, fix] of [
    [keyFile, /^do it where the key of the authority is; or here: fridge certs request ROLE NAME/],
    [certificateFile, /^fridge certs init --certs/],
  ] as const) {
    await rm(file)
    const error = await t.throwsAsync<FridgeError>(readAuthority(dir), {
      code: 'ERR_KEY_FILE',
      message: /no certificate can be issued: there is no .*ca.private-key\.pem/,
    })
    t.regex(error?.fix ?? '', fix)
  }
})
