import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import test, { type ExecutionContext } from 'ava'

import { FileReader } from '../../../../node/sensors/drivers/file-reader.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

/** What stands for `dd`: reads of a file whose name has `hangs` say so, and then never come back. */
const HANGING_DD = `#!/bin/sh
case $1 in *hangs*) echo hanging >"\${0%/*}/hung"; exec sleep 1000;; esac
exec /bin/dd "$@"
`

/** A folder of files, a reader on a clock of its own, and when a read of it hangs. */
async function open(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'fridge-reader-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'dd'), HANGING_DD)
  await chmod(join(folder, 'dd'), 0o755)
  await promisify(execFile)('mkfifo', [join(folder, 'hung')])
  const clock = new FakeClock()
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` }
  const reader = new FileReader({ clock, deadlineMs: 10_000, env })
  t.teardown(() => reader[Symbol.dispose]())
  // A reader keeps no process alive by itself.
  const hold = setInterval(() => {}, 60_000)
  t.teardown(() => clearInterval(hold))
  const { signal } = new AbortController()
  return {
    clock,
    reader,
    file: (name: string) => join(folder, name),
    write: async (name: string, text: string | Buffer) => writeFile(join(folder, name), text),
    read: async (name: string) => reader.read(join(folder, name), signal),
    /** Resolves when a read hangs. */
    hangs: async () => once(createReadStream(join(folder, 'hung')), 'data'),
  }
}

test('a file is read as it is, each time anew, whatever it holds', async t => {
  const { write, read, clock } = await open(t)
  for (const text of [
    '4.5\n',
    'no end of line',
    '',
    '\n\n',
    'a b\nc\n\nd',
    '2 read\n2 missing\n',
    '\u0000ÿ\n',
  ]) {
    await write('a file', Buffer.from(text, 'latin1'))
    t.deepEqual(await read('a file'), { type: 'read', text }, JSON.stringify(text))
  }
  t.is(clock.pending, 0)
})

test('what is no file, or not there, or may not be read, is told apart', async t => {
  const { file, read, write } = await open(t)
  t.deepEqual(await read('nowhere'), { type: 'missing' })
  t.deepEqual(await read('.'), { type: 'not a file' })
  // A FIFO would wait for who writes to it.
  t.deepEqual(await read('hung'), { type: 'not a file' })
  await write('secret', 'x')
  await chmod(file('secret'), 0)
  if (process.getuid?.() !== 0) t.deepEqual(await read('secret'), { type: 'denied' })
  await mkdir(file('sub folder'))
  await write('sub folder/$(id) "*', '4')
  t.deepEqual(await read('sub folder/$(id) "*'), { type: 'read', text: '4' })
})

test('of a long file no more is read than shows that it is too long', async t => {
  const { write, read } = await open(t)
  await write('long', 'x'.repeat(1_000_000))
  const content = await read('long')
  t.true(content.type === 'read' && content.text.length === 4_097)
})

test('a read that hangs is over at the deadline, and the next one is done', async t => {
  const { clock, hangs, read, write } = await open(t)
  await write('hangs', '1')
  await write('works', '2')
  const hanging = read('hangs')
  const next = read('works')
  await hangs()
  await clock.advance(9_999)
  await clock.advance(1)
  t.deepEqual(await hanging, { type: 'hung' })
  t.deepEqual(await next, { type: 'read', text: '2' })
  t.is(clock.pending, 0)
})

test('who stops waiting for a read that hangs is let go at once', async t => {
  const { file, hangs, reader, write, clock } = await open(t)
  await write('hangs', '1')
  const abort = new AbortController()
  const hanging = reader.read(file('hangs'), abort.signal)
  const queued = reader.read(file('hangs'), abort.signal)
  await hangs()
  abort.abort()
  await t.throwsAsync(hanging, { name: 'AbortError' })
  await t.throwsAsync(queued, { name: 'AbortError' })
  reader[Symbol.dispose]()
  await clock.advance(10_000)
  t.is(clock.pending, 0)
})

test('a process that reads and is killed by somebody is started again', async t => {
  const { read, write } = await open(t)
  await write('pid', '1')
  await write('dd', '#!/bin/sh\nkill -KILL $PPID\n')
  t.like(await read('pid'), { type: 'broken' })
  await write('dd', HANGING_DD)
  t.deepEqual(await read('pid'), { type: 'read', text: '1' })
})

test('a path of two lines is refused', async t => {
  const { reader } = await open(t)
  await t.throwsAsync(reader.read('a\nb', new AbortController().signal), { instanceOf: TypeError })
})
