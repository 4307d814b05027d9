import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { filesOfShare, listTestFiles, shareOf, SHARES, TEST_FOLDER } from './shares.ts'
import { TestFile } from './test-file.ts'

/** A test file whose tests go to nobody, with what is noted by its `test`. */
function makeFile() {
  const declared: string[] = []
  const run: (() => Promise<void>)[] = []
  const declareAs =
    (kind: string) =>
    (title: string, implementation: (t: never) => Promise<void>): void => {
      declared.push(`${kind} ${title}`)
      run.push(async () => {
        const teardowns: (() => unknown)[] = []
        const t = { teardown: (teardown: () => unknown) => teardowns.push(teardown) }
        await implementation(t as never)
        for (const teardown of teardowns) await teardown()
      })
    }
  const [skip, only, failing] = ['skip', 'only', 'failing'].map(declareAs)
  const file = new TestFile('node/x/y.test.ts', {
    serial: Object.assign(declareAs('serial'), { skip, only, failing }) as never,
    after: { always: declareAs('after') },
  })
  type Chain = ((...args: unknown[]) => void) & { readonly [word: string]: Chain }
  return { file, declared, run, test: file.test() as Chain }
}

test('every test file is in one share, and every share has its file', async t => {
  const files = listTestFiles()
  t.true(files.includes('shares/shares.test.ts'))
  t.deepEqual(SHARES.flatMap(filesOfShare).sort(), files)
  t.is(shareOf('a-folder-of-tomorrow/new.test.ts'), 'rest')
  const folder = join(TEST_FOLDER, 'shares/entries')
  t.deepEqual((await readdir(folder)).sort(), SHARES.map(share => `${share}.ts`).sort())
  for (const share of SHARES) {
    const text = await readFile(join(folder, `${share}.ts`), 'utf8')
    t.true(text.includes(`runShare('${share}')`), share)
  }
})

test('the tests of a file are serial ones under its name, and its hooks run around them', async t => {
  const { file, declared, run, test } = makeFile()
  const ran: string[] = []
  test.before?.(() => ran.push('before'))
  test.after?.always?.(() => ran.push('after'))
  test('one', () => ran.push('one'))
  test.serial?.('two', (_: unknown, value: string) => ran.push(value), 'two')
  file.declare()
  t.deepEqual(declared, [
    'serial node › x › y › one',
    'serial node › x › y › two',
    'after node › x › y',
  ])
  for (const each of run) await each()
  t.deepEqual(ran, ['before', 'one', 'two', 'after'])
})

test('hooks of a file none of whose tests is run take down only what stands', async t => {
  for (const hasBefore of [true, false]) {
    const { file, declared, run, test } = makeFile()
    const ran: string[] = []
    if (hasBefore) test.before?.(() => ran.push('before'))
    test.after?.always?.(() => ran.push('after'))
    test('not selected', () => ran.push('test'))
    file.declare()
    await run[declared.indexOf('after node › x › y')]?.()
    t.deepEqual(ran, hasBefore ? [] : ['after'])
  }
})

test('a file without a test, and words that do not keep to one file, are refused', t => {
  const { file, test } = makeFile()
  t.throws(() => file.declare(), { message: 'no tests in node › x › y' })
  t.throws(() => test.beforeEach?.(() => {}), { message: /cannot say test.beforeEach/ })
  t.throws(() => test('no function'), { message: 'no function: not a function' })
})
