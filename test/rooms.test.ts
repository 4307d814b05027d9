import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { usesGlobal } from './rooms/imports.ts'
import { PACKAGES, PLAN, USE_PROCESS } from './rooms/plan.ts'
import { circles, crossings, gapsOf, packageCrossings, readHouse, roomOf } from './rooms/walls.ts'

/** What runs in browsers, and is no part of the house. */
const PAGE = 'node/web/page/'

const sources = new Map(
  globSync('{node,cli,cluster,examples}/**/*.ts', {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    exclude: [`${PAGE}**`],
  })
    .sort()
    .map(file => [file, readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')]),
)

const house = readHouse(sources)

test('the plan says of each room which of those before it it may know, and why not the others', t => {
  t.deepEqual(gapsOf(PLAN), [])
  t.deepEqual(
    Object.keys(PLAN).filter(room => !Array.from(sources.keys(), roomOf).includes(room)),
    [],
  )
})

test('no file imports from a room that is closed to it', t => {
  t.deepEqual(crossings(house, PLAN), [])
})

test('an example imports the library as others do, and nothing behind its index', t => {
  const own = house.arrows.filter(({ from }) => roomOf(from) === 'examples')
  const imported = own.filter(({ isPackage }) => !isPackage).map(({ to }) => to)
  t.deepEqual([...new Set(imported)], ['node/client/index.ts'])
})

test('no files import each other in a circle, types included', t => {
  t.deepEqual(circles(house), [])
})

test('a package is known only to the files that are named for it', t => {
  t.deepEqual(packageCrossings(house, PACKAGES), [])
  const { dependencies } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { dependencies: Record<string, string> }
  const walled = Object.keys(PACKAGES).filter(name => !name.startsWith('node:'))
  t.deepEqual(walled.sort(), Object.keys(dependencies).sort())
  for (const name of Object.keys(PACKAGES)) {
    t.true(
      house.arrows.some(({ to }) => to === name),
      `nobody imports ${name}`,
    )
  }
})

test('only the files that are named use the process', t => {
  const using = [...sources].filter(([, source]) => usesGlobal(source, 'process'))
  const named = using.map(([file]) => file).filter(file => roomOf(file) !== 'examples')
  t.deepEqual(named, Object.keys(USE_PROCESS))
})

/** What nodes and browsers run alike, by their paths from the root. */
const SHARED = ['node/lib/keep-newest.ts', 'node/seal/channel-opener.ts', 'node/seal/format.ts']

test('what nodes and browsers both run imports nothing that a browser lacks', t => {
  const far = house.arrows.filter(({ from, to }) => SHARED.includes(from) && !SHARED.includes(to))
  t.deepEqual(far, [])
})

test('what runs in browsers knows nothing of the house but what it shares, and nobody there knows it', t => {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const files = globSync(`${PAGE}*.{ts,tsx}`, { cwd })
  t.true(files.length > 3)
  for (const file of files) {
    const source = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
    const imports = source.matchAll(/(?:from|import|import\()\s*'((?:\.\.|node:)[^']*)'/g)
    for (const [, path = ''] of imports) {
      const shared = path.replace(/^\.\.\/\.\.\//, 'node/')
      t.true(SHARED.includes(shared), `${file} → ${path}`)
    }
  }
  t.deepEqual(
    house.arrows.filter(({ to }) => to.startsWith(PAGE)),
    [],
  )
})

test('the whitelist asks no clock and no dice', t => {
  const impure = [
    'Date',
    'performance',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'randomBytes',
    'randomUUID',
  ]
  for (const [file, source] of sources) {
    if (roomOf(file) !== 'whitelist') continue
    t.false(source.includes('Math.random'), file)
    for (const name of impure) t.false(usesGlobal(source, name), `${file} uses ${name}`)
  }
})
