import { z } from 'zod'

import { DEFAULT_PORT, MAX_ADVERTISED, readAddress, type Address } from '../lib/address.ts'
import { alarmsConfig, rulesProblems } from './alarms-config.ts'
import { isName, type Name } from '../identity/names.ts'
import { compatConfig, sealConfig, sealProblems } from './seal-config.ts'
import { sensorsConfig, simulationConfig } from '../sensors/registry.ts'

export { formatAddress, parseAddress, type Address } from '../lib/address.ts'

/** Where a node serves its metrics when nothing is said, and this address is free. */
export const DEFAULT_METRICS: Address = { host: '127.0.0.1', port: 9464 }

/** Where a node serves pages when nothing is said, and this address is free. */
export const DEFAULT_WEB: Address = { host: '127.0.0.1', port: 8443 }

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** A whole number with its default and the range in which the node still works. */
const whole = (fallback: number, min: number, max: number) =>
  z.int().min(min).max(max).default(fallback)

/** Milliseconds; the longest is a day. */
const milliseconds = (fallback: number, min = 1) => whole(fallback, min, 86_400_000)

const name = z.unknown().transform((value, context): Name => {
  if (isName(value)) return value
  context.addIssue({
    code: 'custom',
    message: '1 to 64 letters, digits, dots, underscores and hyphens',
  })
  return z.NEVER
})

const address = (lowestPort: 0 | 1) =>
  z.unknown().transform((value, context): Address => {
    const parsed = readAddress(value)
    if (parsed !== undefined && parsed.port >= lowestPort) return parsed
    context.addIssue({
      code: 'custom',
      message: `"HOST:PORT" with a port from ${lowestPort} to 65535, an IPv6 host in brackets`,
      params: { suggestion: likelyAddress(value) },
    })
    return z.NEVER
  })

/** A port alone is mostly one of this machine, a host alone that of a node on its usual port. */
function likelyAddress(value: unknown): string | undefined {
  const text = String(value)
  return [`127.0.0.1:${text}`, `${text}:${DEFAULT_PORT}`].find(
    one => readAddress(one) !== undefined,
  )
}

const folder = z.string().min(1)

const tls = z.strictObject({
  /** The oldest TLS version that is spoken. Default TLSv1.3; TLSv1.2 shows certificates in clear. */
  minVersion: z.enum(['TLSv1.3', 'TLSv1.2']).default('TLSv1.3'),
  /** How long a connection may take to finish its handshake, ms. Default 5000. More lets a silent
   *  peer hold a socket (some 20 kB) for longer. */
  handshakeTimeoutMs: milliseconds(5_000, 100),
  /** Handshakes a second that one address (of IPv6, one /64) may start, after its burst. Default 50. Each costs about
   *  1 ms of processor time; raise it where many clients share one address. */
  handshakesPerSecond: whole(50, 1, 100_000),
  /** Handshakes that one address may start at once. Default 200: all clients of a site come back
   *  together after a power cut. More lets a storm of that size block the node for as many ms. */
  handshakeBurst: whole(200, 1, 100_000),
  /** Handshakes a second that all addresses together may start, after their burst: once those from
   *  which a certificate of the cluster was shown since this node started, and once all others.
   *  Default 200 each, about a fifth of a processor core; lower it on a small machine. */
  handshakesPerSecondTotal: whole(200, 1, 100_000),
  /** Of them at once. Default 1000: all clients come back together when a node restarts. */
  handshakeBurstTotal: whole(1_000, 1, 100_000),
})

const limits = z.strictObject({
  /** Connections of all roles together. Default 10000; each costs about 70 kB of memory. Past that
   *  the connection that has been longest without a handshake gives way to the next. */
  maxConnections: whole(10_000, 1, 1_000_000),
  /** Connections of one client name. Default 16; more let one lost key use up the node sooner. */
  maxConnectionsPerClient: whole(16, 1, 100_000),
  /** Bytes that wait for a client that reads slowly before it is cut. Default 1 MiB; the memory
   *  that slow clients can take is this times their number. */
  maxBufferedBytes: whole(1_048_576, 16_384, 1_073_741_824),
  /** How long a client may leave what waits for it unread before it is cut, ms. Default 10000. */
  maxStalledMs: milliseconds(10_000, 100),
  /** Frames a second of one connection of a client, in the long run; each KiB counts as one more,
   *  and four seconds' worth may come at once. A faster client is read more slowly, and not cut.
   *  Default 250: about 1 % of a core. More lets one key use that much more. */
  maxFramesPerSecond: whole(250, 10, 1_000_000),
  /** How long a stopping node waits for its clients to take what is under way, ms. Default 5000.
   *  More makes a restart slower when a client hangs. */
  drainMs: milliseconds(5_000, 0),
})

/** Where something is served over HTTP that need not be. */
const listenOrOff = z
  .union([z.literal('off'), address(0)], {
    error: '"off", or "HOST:PORT" with a port from 0 to 65535',
  })
  .optional()

const metrics = z.strictObject({
  /** Where metrics and health are served, plain HTTP without authentication, or `off`. Default
   *  127.0.0.1:9464, and none where that is taken; an address that is written here must be free.
   *  On any other host than loopback, everyone who reaches it reads the numbers. */
  listen: listenOrOff,
})

const web = z
  .strictObject({
    /** Where pages are served to browsers, HTTPS only, or `off`. Default 127.0.0.1:8443, and none
     *  where that is taken; an address that is written here must be free. */
    listen: listenOrOff,
    /** A file with the certificate that browsers are shown and its intermediates, PEM. Default the
     *  node's own, which a browser takes where the authority is installed. */
    certificate: folder.optional(),
    /** The file with its private key, PEM. Required with `web.certificate`. */
    key: folder.optional(),
    /** Connections of browsers. Default 2000; each costs about 120 kB of memory. Past that the
     *  connection that has been longest without a handshake gives way to the next. */
    maxConnections: whole(2_000, 1, 100_000),
    /** Live pages of one origin from one address (of IPv6, one /64). Default 64: more let one
     *  machine use up the port sooner. */
    maxPagesPerAddress: whole(64, 1, 100_000),
    /** For pages of 2016. */
    compat: compatConfig,
  })
  .check(context => {
    const { certificate, key } = context.value
    if ((certificate === undefined) === (key === undefined)) return
    const missing = certificate === undefined ? 'certificate' : 'key'
    context.issues.push({
      code: 'custom',
      path: [missing],
      input: undefined,
      message: 'both web.certificate and web.key, or neither',
    })
  })

const enrolment = z.strictObject({
  /** Where clients get a first certificate by a token, and the next by the one that they have, or
   *  `off`, the default. It needs an issuing key (fridge certs issuing-key NAME); who steals that
   *  can be any client whose grant names no key. */
  listen: z
    .union([z.literal('off'), address(0)], {
      error: '"off", or "HOST:PORT" with a port from 0 to 65535',
    })
    .default('off'),
})

/** Say what is wrong with a number beside another one. */
function complain(
  { issues }: z.core.ParsePayload,
  key: string,
  input: number,
  message: string,
): void {
  issues.push({ code: 'custom', path: [key], input, message })
}

const gossip = z
  .strictObject({
    /** How often a link says that it lives, ms. Default 2000. More costs later detection; less
     *  costs two small records a link and beat. */
    heartbeatMs: milliseconds(2_000, 10),
    /** Silence after which a link is dead, ms. Default 6000; at least two heartbeats. More delays
     *  the redial, less cuts links that are only slow. */
    deadAfterMs: milliseconds(6_000, 20),
    /** The first pause before a lost peer is dialled again, ms. Default 250. */
    redialMinMs: milliseconds(250, 1),
    /** The longest pause between two attempts, ms. Default 30000: a peer that comes back is noticed
     *  after at most this; less costs a handshake each time for every absent peer. */
    redialMaxMs: milliseconds(30_000, 1),
    /** How long a starting node that knows peers waits for a first exchange before it admits
     *  anyone, ms. Default 3000; twenty times that once a peer is linked. 0 trusts the own disk at
     *  once: a restored backup may then admit for a moment whom its peers have revoked. More delays
     *  a start with no peer in reach. */
    firstSyncMs: milliseconds(3_000, 0),
  })
  .check(context => {
    const { heartbeatMs, deadAfterMs, redialMinMs, redialMaxMs } = context.value
    if (deadAfterMs < 2 * heartbeatMs) {
      const message = `at least twice gossip.heartbeatMs (${heartbeatMs})`
      complain(context, 'deadAfterMs', deadAfterMs, message)
    }
    if (redialMaxMs < redialMinMs) {
      const message = `at least gossip.redialMinMs (${redialMinMs})`
      complain(context, 'redialMaxMs', redialMaxMs, message)
    }
  })

const history = z
  .strictObject({
    /** How long each reading is kept, days. Default 7; each takes about 30 bytes, so that one
     *  sensor that is read every 5 s takes half a megabyte a day. */
    readingsDays: whole(7, 1, 3_650),
    /** How long minutes are kept, days: their lowest, highest and mean. Default 400; a sensor takes
     *  60 kB a day. */
    minutesDays: whole(400, 1, 3_650),
    /** How long hours are kept, days, and with them every move of a door and every command. Default
     *  3650; a sensor takes 5 kB a day. */
    hoursDays: whole(3_650, 1, 36_500),
    /** Free space of the disk below which nothing more is recorded, bytes. Default 64 MiB, left to
     *  the whitelist; less risks that no client can be removed any more. */
    minFreeBytes: whole(67_108_864, 0, Number.MAX_SAFE_INTEGER),
  })
  .check(context => {
    const { readingsDays, minutesDays, hoursDays } = context.value
    if (minutesDays < readingsDays) {
      const message = `at least history.readingsDays (${readingsDays})`
      complain(context, 'minutesDays', minutesDays, message)
    }
    if (hoursDays < minutesDays) {
      const message = `at least history.minutesDays (${minutesDays})`
      complain(context, 'hoursDays', hoursDays, message)
    }
  })

/** Every key of the file, with unit and default. */
const nodeKeys = z.strictObject({
  /** The name of this node, as in its certificate. Required; unique in the cluster. */
  name,
  /** Where the node listens. Default 127.0.0.1:7443, so nothing is open to the network unasked. */
  listen: address(0).prefault(`127.0.0.1:${DEFAULT_PORT}`),
  /** The addresses that peers and clients are told. Default the listen address; required when that
   *  is every address of the machine (0.0.0.0 or [::]). At most 8. */
  advertise: z.array(address(1)).max(MAX_ADVERTISED).default([]),
  /** Nodes to start from; the rest of the cluster is learned from them, and some of it remembered
   *  for the next start. Default none. Two or three are enough; each is dialled for ever. */
  peers: z.array(address(1)).max(1_000).default([]),
  /** The folder of keys and certificates. Default ./certs in the working folder. */
  certs: folder.default('./certs'),
  /** The folder of the node's database. Default ./data/NAME in the working folder. */
  data: folder.optional(),
  /** The least severe log line that is written. Default info; debug costs a line a connection. */
  logLevel: z.enum(LOG_LEVELS).default('info'),
  tls: tls.prefault({}),
  limits: limits.prefault({}),
  gossip: gossip.prefault({}),
  metrics: metrics.prefault({}),
  web: web.prefault({}),
  enrolment: enrolment.prefault({}),
  /** Time without a word from any peer after which the view of the list counts as stale, ms. Default
   *  60000; at least two heartbeats. It goes on while the process is stopped or the machine sleeps,
   *  and a wall clock that is set forward counts as sleep. */
  isolatedAfterMs: milliseconds(60_000, 100),
  /** What an isolated node does: `serve` (default) by the last view, or `refuse` every client. */
  whenIsolated: z.enum(['serve', 'refuse']).default('serve'),
  /** The sensors by name, each with its driver. Default a simulated door and thermometer. */
  sensors: sensorsConfig,
  /** The fridge behind every simulated sensor. */
  simulation: simulationConfig,
  /** What the sensors said, and who called which command: `history.db` in `data`. */
  history: history.prefault({}),
  /** What of the sensors is an alarm, and who is told. */
  alarms: alarmsConfig,
  /** Sensors that are told to the holders of a passphrase alone. */
  seal: sealConfig,
})

/** The configuration of a node as it is written. */
export const nodeConfigSchema = nodeKeys.check(context => {
  const { isolatedAfterMs, gossip, alarms, sensors, seal, web } = context.value
  for (const [path, message, remedy] of rulesProblems(alarms.rules, sensors)) {
    context.issues.push({
      code: 'custom',
      path: ['alarms', 'rules', ...path],
      input: context.value,
      message,
      params: { remedy },
    })
  }
  for (const [path, message] of sealProblems(seal, web.compat, sensors)) {
    context.issues.push({ code: 'custom', path, input: context.value, message })
  }
  if (isolatedAfterMs >= 2 * gossip.heartbeatMs) return
  // Between two beats a peer in reach is silent.
  const message = `at least twice gossip.heartbeatMs (${gossip.heartbeatMs})`
  complain(context, 'isolatedAfterMs', isolatedAfterMs, message)
})

/** The checked configuration of one node: defaults filled in, folders absolute. */
export interface NodeConfig extends Readonly<Omit<z.output<typeof nodeConfigSchema>, 'data'>> {
  /** Absolute. */
  readonly data: string
  /** Empty only when the port is 0: the node then advertises the address that it got. */
  readonly advertise: Address[]
}
