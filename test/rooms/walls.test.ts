import test from 'ava'
import {
  circles,
  crossings,
  gapsOf,
  packageCrossings,
  readHouse,
  type House,
  type Plan,
} from './walls.ts'

function house(sources: Record<string, string>): House {
  return readHouse(new Map(Object.entries(sources)))
}

/** A house of three rooms. */
const SMALL: Plan = {
  lib: { holds: 'tools', imports: [], bans: {} },
  wire: {
    holds: 'frames',
    imports: ['lib'],
    bans: {},
    builtins: { banned: /^node:fs/, because: 'no disk' },
  },
  port: {
    holds: 'sockets',
    imports: ['lib'],
    bans: { wire: 'by way of sessions' },
    entrances: { 'serve.ts': ['wire'] },
  },
}

test('a broken ban is named with its reason', t => {
  const small = house({
    'node/lib/log.ts': "import type { Frame } from '../wire/frame.ts'",
    'node/wire/frame.ts': "import { log } from '../lib/log.ts'\nimport 'node:fs/promises'",
    'node/port/port.ts': "export * from '../wire/frame.ts'\nimport '../lib/log.ts'",
    'node/port/door.ts': "const { Port } = await import('./port.ts')\nimport '../../test/a.ts'",
    'node/port/serve.ts': "import { Frame } from '../wire/frame.ts'",
    'node/attic/box.ts': "import '../lib/log.ts'",
  })
  t.deepEqual(crossings(small, SMALL), [
    'node/lib/log.ts → node/wire/frame.ts: wire/ stands behind lib/',
    'node/wire/frame.ts → node:fs/promises: no disk',
    'node/port/port.ts → node/wire/frame.ts: by way of sessions',
    'node/port/door.ts → test/a.ts: it is no file of the house',
    'node/attic/box.ts: there is no room attic',
  ])
})

test('a plan with a gap is found out', t => {
  const { port, ...rest } = SMALL
  t.deepEqual(gapsOf(SMALL), [])
  t.deepEqual(gapsOf({ ...rest, port: { holds: 'sockets', imports: ['cli'], bans: {} } }), [
    'port says nothing of lib',
    'port says nothing of wire',
    'cli is not before port',
  ])
  t.deepEqual(
    gapsOf({ ...rest, port: { holds: '', imports: ['lib', 'wire'], bans: port?.bans ?? {} } }),
    ['port bans wire and allows it'],
  )
})

test('a circle of files is named whole, and a way into it is none', t => {
  const small = house({
    'node/wire/way-in.ts': "import './a.ts'",
    'node/wire/a.ts': "import type { B } from './b.ts'",
    'node/wire/b.ts': "import './c.ts'\nimport './way-out.ts'",
    'node/wire/c.ts': "import './a.ts'\nimport './between.ts'",
    'node/wire/between.ts': "import './alone.ts'",
    'node/wire/alone.ts': "import './alone.ts'",
    'node/wire/way-out.ts': '',
  })
  t.deepEqual(circles(small), [
    ['node/wire/a.ts', 'node/wire/b.ts', 'node/wire/c.ts'],
    ['node/wire/alone.ts'],
  ])
})

test('a package that another file imports, or that no wall is for, is found', t => {
  const small = house({
    'node/wire/dnode.ts': "createRequire(import.meta.url)('dnode')",
    'node/port/port.ts': "import dnode from 'dnode'\nimport tls from 'node:tls'\nimport 'left-pad'",
  })
  const walls = { dnode: { files: /^node\/wire\/dnode\.ts$/, because: 'it is untyped' } }
  t.deepEqual(packageCrossings(small, walls), [
    'node/port/port.ts → dnode: it is untyped',
    'node/port/port.ts → left-pad: no wall is for this package',
  ])
})
