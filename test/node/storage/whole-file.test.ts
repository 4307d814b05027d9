import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { WholeFile } from '../../../node/storage/whole-file.ts'
import { makeTestFolder } from '../../support/certs.ts'

async function makeFile(t: ExecutionContext): Promise<{ file: WholeFile; folder: string }> {
  const folder = await makeTestFolder(t)
  return { file: new WholeFile(join(folder, 'text')), folder }
}

test('a text is read back as it was written, by the owner alone, and nothing else is left', async t => {
  const { file, folder } = await makeFile(t)
  t.is(file.read(10), undefined)
  file.replace('one')
  file.replace('two')
  t.is(file.read(10), 'two')
  t.deepEqual(await readdir(folder), ['text'])
  t.is((await stat(file.path)).mode & 0o777, 0o600)
})

test('what a power cut left of a write that was under way is written over', async t => {
  const { file, folder } = await makeFile(t)
  file.replace('old')
  await writeFile(`${file.path}.new`, 'half of the next text, which is long')
  t.is(file.read(10), 'old')
  file.replace('new')
  t.is(file.read(10), 'new')
  t.deepEqual(await readdir(folder), ['text'])
})

test('a text that cannot be written leaves the old one', async t => {
  const { file } = await makeFile(t)
  file.replace('old')
  await mkdir(`${file.path}.new`)
  t.throws(() => file.replace('new'), { code: 'EISDIR' })
  t.is(file.read(10), 'old')
})

test('a file that is too large is not read', async t => {
  const { file } = await makeFile(t)
  file.replace('x'.repeat(11))
  t.throws(() => file.read(10), { instanceOf: RangeError })
})
