import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { usesGlobal } from './rooms/imports.ts'
import {
  circles,
  crossings,
  gapsOf,
  packageCrossings,
  readHouse,
  roomOf,
  type PackageWall,
  type Plan,
} from './rooms/walls.ts'

/** The same reason for several bans. */
function because(reason: string, ...rooms: string[]): Record<string, string> {
  return Object.fromEntries(rooms.map(room => [room, reason]))
}

const ISSUES_NOTHING = 'only a person makes certificates, so no running part can'

/** The plan of the house: what each room may import, types included, and why not the others. */
const PLAN: Plan = {
  lib: { holds: 'what any program of ours needs', imports: [], bans: {} },
  identity: { holds: 'who somebody is', imports: ['lib'], bans: {} },
  authority: {
    holds: 'making, reading, renewing and rotating certificates',
    imports: ['lib', 'identity'],
    bans: {},
  },
  wire: {
    holds: 'bytes to checked streams and calls',
    imports: ['lib'],
    bans: {
      ...because('frames are read alike, whoever sends them', 'identity'),
      ...because(ISSUES_NOTHING, 'authority'),
    },
  },
  sensors: {
    holds: 'what sensors say, their kinds and their drivers',
    imports: ['lib'],
    bans: {
      ...because('a driver does not know who listens', 'identity'),
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('an event becomes bytes in events/', 'wire'),
    },
  },
  config: {
    holds: 'the configuration of a node, checked',
    imports: ['lib', 'identity', 'sensors'],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('what the wire bears is no matter of taste', 'wire'),
    },
  },
  events: {
    holds: 'one encoding of each event for all who carry it',
    imports: ['lib', 'wire', 'sensors'],
    bans: {
      ...because('sessions/ decides who carries a sensor', 'identity'),
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('its bounds are part of the protocol', 'config'),
    },
  },
  history: {
    holds: 'the past of a fridge: recorded, signed, read and verified',
    imports: ['lib', 'identity', 'sensors'],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('it is asked by calls, and knows no frames', 'wire'),
      ...because('it is handed how long to keep what', 'config'),
      ...because('it hears the sensors themselves, not what clients are told', 'events'),
    },
    entrances: { 'open-history.ts': ['config'] },
  },
  alarms: {
    holds: 'what of the sensors is an alarm, and who is told',
    imports: ['lib', 'sensors'],
    bans: {
      ...because('an alarm is about a fridge, whoever is connected', 'identity'),
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('sessions/ tells clients', 'wire'),
      ...because('it is handed its rules', 'config'),
      ...because('it hears the sensors themselves, not what clients are told', 'events'),
      ...because('an alarm is about now', 'history'),
    },
    entrances: { 'open-alarms.ts': ['config'] },
  },
  whitelist: {
    holds: 'the list as a pure function of its changes',
    imports: ['identity'],
    bans: {
      ...because('it has no clock and no log, and its outcomes are values', 'lib'),
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('it knows changes, not how they came', 'wire'),
      ...because('it knows names of sensors, as text', 'sensors', 'events', 'history', 'alarms'),
      ...because('no setting may change what a list means: all nodes agree on it', 'config'),
    },
    builtins: {
      banned: /^node:(?!crypto$)/,
      because: 'the list is pure: it reads no file, no socket and no clock',
    },
  },
  storage: {
    holds: 'SQLite: the log of changes, its backup, and what lies at rest',
    imports: ['lib', 'identity', 'whitelist'],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('a database holds no frames', 'wire'),
      ...because('of sensors nothing is stored here', 'sensors', 'events', 'history', 'alarms'),
      ...because('it is handed the path of a file', 'config'),
    },
  },
  gossip: {
    holds: 'what nodes tell each other',
    imports: ['lib', 'identity', 'wire', 'whitelist'],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because(
        'what a node says of its fridge it carries unread',
        'sensors',
        'events',
        'history',
        'alarms',
      ),
      ...because('its times are handed in, so that a simulation sets them', 'config'),
      ...because(
        'it is handed a store, so that a simulation hands in a disk that tears',
        'storage',
      ),
    },
    entrances: {
      'first-sync.ts': ['config'],
      'join.ts': ['config'],
      'open-list.ts': ['config', 'storage'],
    },
  },
  fleet: {
    holds: 'how each fridge is, as nodes tell each other, and who tells of a node that died',
    imports: ['lib', 'alarms', 'gossip'],
    bans: {
      ...because('a node is a name here, as its peers have checked it', 'identity'),
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('gossip/ carries what it says', 'wire'),
      ...because('alarms/ knows what sensors say', 'sensors', 'events'),
      ...because('alarms/ is handed the rules', 'config'),
      ...because('how fridges are is about now', 'history'),
      ...because('who is let in has nothing to do with it', 'whitelist'),
      ...because('vitals are held in memory only', 'storage'),
    },
  },
  sessions: {
    holds: 'who is connected, by what right, and who is cut',
    imports: [
      'lib',
      'identity',
      'wire',
      'sensors',
      'events',
      'history',
      'alarms',
      'whitelist',
      'gossip',
    ],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('it is handed the limits that apply', 'config'),
      ...because('who is let in follows from the list in memory, never from the disk', 'storage'),
      ...because('a client is told of the fridge that it is connected to', 'fleet'),
    },
    entrances: { 'open-service.ts': ['config'] },
  },
  operators: {
    holds: 'what an operator may call',
    imports: ['lib', 'identity', 'wire', 'history', 'whitelist', 'storage', 'gossip', 'sessions'],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('an operator has no part in sensors', 'sensors', 'events', 'alarms'),
      ...because('no setting narrows what an operator may do', 'config'),
      ...because('it passes on what gossip/ has brought', 'fleet'),
    },
  },
  port: {
    holds: 'the TLS port: sockets, handshakes, and who may come in',
    imports: ['lib', 'identity', 'wire', 'config', 'events', 'gossip', 'sessions'],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('sensors are served by sessions/', 'sensors', 'history', 'alarms', 'fleet'),
      ...because('sessions/ asks the list who may come in', 'whitelist'),
      ...because('a stranger at the door comes nowhere near the disk', 'storage'),
      ...because('it is handed what an operator may call', 'operators'),
    },
    entrances: { 'serve.ts': ['operators'] },
  },
  metrics: {
    holds: 'how a node is, for Prometheus and for health checks',
    imports: ['lib', 'identity', 'config', 'events', 'alarms', 'whitelist', 'gossip', 'sessions'],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('it reads numbers, and takes part in nothing', 'wire', 'sensors', 'operators'),
      ...because('it reads what members say', 'fleet'),
      ...because('a scrape touches no disk', 'storage', 'history'),
      ...because('it outlives the port, and is handed what it counts there', 'port'),
    },
  },
  client: {
    holds: 'the library for clients, and the end of an operator',
    imports: [
      'lib',
      'identity',
      'wire',
      'sensors',
      'events',
      'history',
      'alarms',
      'whitelist',
      'sessions',
      'operators',
    ],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('a client is configured by its program', 'config'),
      ...because('a client has no database', 'storage'),
      ...because('a client does not gossip', 'gossip', 'fleet'),
      ...because('a client accepts no connection', 'port'),
      ...because('what a client counts is a matter of its program', 'metrics'),
    },
  },
  start: {
    holds: 'one node, put together',
    imports: [
      'lib',
      'identity',
      'wire',
      'sensors',
      'config',
      'events',
      'history',
      'alarms',
      'whitelist',
      'storage',
      'gossip',
      'fleet',
      'sessions',
      'operators',
      'port',
      'metrics',
    ],
    bans: {
      ...because(ISSUES_NOTHING, 'authority'),
      ...because('a node is the client of nobody', 'client'),
    },
  },
  cli: {
    holds: 'what a person types',
    imports: [
      'lib',
      'identity',
      'authority',
      'sensors',
      'config',
      'history',
      'alarms',
      'whitelist',
      'storage',
      'gossip',
      'operators',
      'port',
      'client',
      'start',
    ],
    bans: {
      ...because('it talks to nodes through client/', 'wire', 'events', 'sessions'),
      ...because('it asks a node by its calls, as another machine would', 'metrics', 'fleet'),
    },
  },
  cluster: {
    holds: 'containers',
    imports: [],
    bans: because(
      'its health check runs every few seconds, and asks the node over HTTP',
      ...'lib identity authority wire sensors config events history alarms whitelist storage'.split(
        ' ',
      ),
      ...'gossip fleet sessions operators port metrics client start cli'.split(' '),
    ),
  },
  examples: {
    holds: 'programs over the client library',
    imports: ['client'],
    bans: because(
      'an example shows what a program of somebody else can do',
      ...'lib identity authority wire sensors config events history alarms whitelist storage'.split(
        ' ',
      ),
      ...'gossip fleet sessions operators port metrics start cli cluster'.split(' '),
    ),
  },
}

const UNTYPED = 'an untyped package is known to the one file that gives it types and limits'

/** Which files know which package. One that is not named here may not be imported. */
const PACKAGES: Readonly<Record<string, PackageWall>> = {
  'mux-demux': { files: /^node\/wire\/mux\.ts$/, because: UNTYPED },
  'duplex-emitter': { files: /^node\/wire\/emitter\.ts$/, because: UNTYPED },
  dnode: { files: /^node\/wire\/dnode\.ts$/, because: UNTYPED },
  scuttlebutt: { files: /^node\/gossip\/document\.ts$/, because: UNTYPED },
  'prom-client': {
    files: /^node\/metrics\/metrics\.ts$/,
    because: 'its global registry and its observers are kept out by one file',
  },
  '@peculiar/x509': {
    files: /^node\/identity\/x509\.ts$/,
    because: 'it is loaded only where certificates are made, and behind its polyfill',
  },
  mqtt: {
    files: /^node\/sensors\/drivers\/mqtt-connection\.ts$/,
    because: 'it is loaded only where a broker is used, and behind a guard of its packets',
  },
  'node:sqlite': {
    files: /^node\/(storage\/|history\/|lib\/sqlite\.ts$)/,
    because: 'only storage/ and history/ know a database, each its own',
  },
  pino: { files: /^cli\//, because: 'a node is handed its log' },
  commander: { files: /^cli\//, because: 'only cli/ reads what a person types' },
  yaml: { files: /^node\/config\//, because: 'only config/ reads a file of settings' },
  zod: {
    files: /^node\/(config|sensors)\//,
    because: 'bytes of peers are read by hand-written parsers, which are faster',
  },
}

/** The files that use the process, with what for: all others are handed what they need of it. */
const USE_PROCESS: Readonly<Record<string, string>> = {
  'cli/commands/node-start.ts': 'warns of a release of Node.js that leaks',
  'cli/main.ts': 'it alone hands the process to commands',
  'cluster/health-check.ts': 'is a program of its own',
  'node/metrics/metrics.ts': 'tells the memory and the processor time of the process',
  'node/sensors/drivers/program-process.ts': 'kills groups of processes, also when this one ends',
}

const sources = new Map(
  globSync('{node,cli,cluster,examples}/**/*.ts', {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
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
