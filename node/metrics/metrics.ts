import { readdir } from 'node:fs/promises'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { Counter, Gauge, Registry } from 'prom-client'
import { lifetimes, type Lifetime } from '../identity/certificate-lifetime.ts'
import type { FridgeNumbers } from '../alarms/numbers.ts'
import type { Clock } from '../lib/clock.ts'
import { describeFleet, describeFridge, type AddGauge } from './fridge-metrics.ts'
import type { Counts } from '../sessions/counts.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { FanOut } from '../events/fan-out.ts'
import type { Isolation } from '../gossip/isolation.ts'
import type { Members } from '../gossip/members.ts'
import type { Overlay } from '../gossip/overlay.ts'
import type { Name } from '../identity/names.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Trust } from '../identity/trust.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'

/** The parts of a node that are read at each scrape. */
export interface MetricsSource {
  readonly name: Name
  readonly version: string
  readonly counts: Counts
  readonly fanOut: Pick<FanOut, 'counts'>
  readonly numbers: () => FridgeNumbers
  readonly sessions: Pick<Sessions, 'size' | 'clients'>
  readonly overlay: Pick<Overlay, 'links'>
  readonly members: Pick<Members, 'live' | 'unreachable' | 'left'>
  readonly whitelist: () => Pick<Whitelist, 'changes' | 'size'>
  readonly trust: Pick<Trust, 'credentials'>
  readonly port: { readonly connections: number; readonly handshaking: number }
  readonly maxConnections: number
  readonly isolation: Pick<Isolation, 'aloneMs' | 'isIsolated'>
  readonly isReady: () => boolean
  /** Whether what the sensors say is recorded. */
  readonly isRecorded: () => boolean
  readonly clock: Pick<Clock, 'now'>
}

/** Resolution of the lag of the event loop, ms; less wakes an idle node more often. */
const LAG_RESOLUTION_MS = 20

/** A number, or one for each value of the one label of a metric. */
type Reading = number | Readonly<Record<string, number>>

/**
 * What a node tells Prometheus. Nothing is kept up to date between two scrapes: each reads the node.
 * The only file that knows prom-client; its registry for whole processes is never used.
 */
export class Metrics implements Disposable {
  readonly #registry = new Registry()
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  readonly #source: MetricsSource
  #lifetimes: { of: Credentials; all: readonly Lifetime[] } | undefined

  constructor(source: MetricsSource) {
    this.#source = source
    this.#lag.enable()
    this.#describeNode()
    describeFridge((...gauge) => this.#fills(...gauge), source.numbers)
    describeFleet((...gauge) => this.#fills(...gauge), source.members)
    this.#describeConnections()
    this.#describeClients()
    this.#describeCluster()
    this.#describeCertificates()
    this.#describeProcess()
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** All metrics now, in the text format of Prometheus. */
  async text(): Promise<string> {
    return this.#registry.metrics()
  }

  [Symbol.dispose](): void {
    this.#lag.disable()
  }

  #describeNode(): void {
    const { name, version, isReady, isRecorded, fanOut } = this.#source
    new Gauge({
      name: 'fridge_build_info',
      help: 'Always 1; what runs here.',
      labelNames: ['node', 'version', 'runtime'],
      registers: [this.#registry],
    }).set({ node: name, version, runtime: process.version }, 1)
    this.#reads('fridge_ready', 'Whether the node serves clients: 1 or 0.', () => Number(isReady()))
    this.#reads(
      'fridge_history_recording',
      'Whether what the sensors say is recorded: 1 or 0; the log says why not.',
      () => Number(isRecorded()),
    )
    this.#counts(
      'fridge_sensor_events_total',
      'Events that the sensors gave.',
      () => fanOut.counts.events,
    )
    this.#counts(
      'fridge_fan_out_events_total',
      'Events handed to clients; one counts once for each client.',
      () => fanOut.counts.delivered,
    )
    this.#counts(
      'fridge_fan_out_bytes_total',
      'Bytes of the events written to clients, with their frames, before TLS.',
      () => fanOut.counts.bytes,
    )
    this.#counts(
      'fridge_fan_out_conflated_total',
      'Readings that a slow client was not sent, because a newer one took their place.',
      () => fanOut.counts.conflated,
    )
  }

  #describeConnections(): void {
    const { sessions, overlay, counts, port, maxConnections } = this.#source
    this.#reads(
      'fridge_connections',
      'Connections that were let in and are live, by role; those of nodes are gossip links.',
      () => ({
        client: sessions.clients,
        operator: sessions.size - sessions.clients,
        node: overlay.links().length,
      }),
      'role',
    )
    this.#reads(
      'fridge_tcp_connections',
      'Connections that the port holds, in their handshake and after it.',
      () => port.connections,
    )
    this.#reads(
      'fridge_tcp_connections_max',
      'How many it may hold: limits.maxConnections.',
      () => maxConnections,
    )
    this.#reads(
      'fridge_handshakes_in_progress',
      'Connections in their handshake.',
      () => port.handshaking,
    )
    this.#counts(
      'fridge_handshakes_total',
      'Handshakes by what became of them; limited by address or in all, dropped at limits.maxConnections.',
      () => counts.handshakes,
      'outcome',
    )
    this.#counts(
      'fridge_connections_accepted_total',
      'Connections that were let in, by role.',
      () => counts.accepted,
      'role',
    )
    this.#counts(
      'fridge_connections_refused_total',
      'Connections that were not let in, by reason.',
      () => counts.refused,
      'reason',
    )
    this.#counts(
      'fridge_connections_cut_total',
      'Live connections of clients and operators that the node ended, by reason.',
      () => counts.cut,
      'reason',
    )
  }

  #describeClients(): void {
    const { counts } = this.#source
    this.#counts(
      'fridge_client_throttles_total',
      'How often a client was not read for a moment, past limits.maxFramesPerSecond.',
      () => counts.throttled,
    )
  }

  #describeCluster(): void {
    const { members, whitelist, counts, isolation } = this.#source
    this.#counts(
      'fridge_gossip_links_ended_total',
      'Links that ended, by reason.',
      () => counts.linksEnded,
      'reason',
    )
    this.#reads(
      'fridge_nodes',
      'Nodes of the cluster as this one sees it, itself included.',
      () => ({
        up: members.live().size,
        'out of reach': members.unreachable().size,
        left: members.left().size,
      }),
      'state',
    )
    this.#reads(
      'fridge_last_sync_timestamp_seconds',
      'When an exchange with a peer was last completed; 0 before the first. Later changes flow over the link.',
      () => (counts.lastSyncAt ?? 0) / 1_000,
    )
    this.#reads(
      'fridge_alone_seconds',
      'How long no peer in step has been heard; 0 while one says that it lives.',
      () => isolation.aloneMs / 1_000,
    )
    this.#reads(
      'fridge_isolated',
      'Whether that is longer than isolatedAfterMs and peers are known: 1 or 0.',
      () => Number(isolation.isIsolated),
    )
    this.#reads(
      'fridge_whitelist_subjects',
      'Names that the list knows, let in or not.',
      () => whitelist().size,
    )
    this.#reads(
      'fridge_whitelist_changes',
      'Changes in the list; equal on nodes that are in step.',
      () => whitelist().changes,
    )
    this.#counts(
      'fridge_whitelist_changes_applied_total',
      'Changes applied since the start, by kind.',
      () => counts.applied,
      'kind',
    )
  }

  #describeCertificates(): void {
    const { clock } = this.#source
    /** Of several authorities above the node, the authority that ends first. */
    const each = (read: (lifetime: Lifetime) => number, least: typeof Math.min) => () => {
      const readings: Record<string, number> = {}
      for (const lifetime of this.#certificates()) {
        const { certificate } = lifetime
        readings[certificate] = least(readings[certificate] ?? read(lifetime), read(lifetime))
      }
      return readings
    }
    this.#reads(
      'fridge_certificate_expiry_timestamp_seconds',
      'The last moment of the certificate of this node, and of the authority above it.',
      each(({ endsAt }) => endsAt / 1_000, Math.min),
      'certificate',
    )
    this.#reads(
      'fridge_certificate_left_seconds',
      'What is left until then; negative after it.',
      each(({ endsAt }) => (endsAt - clock.now()) / 1_000, Math.min),
      'certificate',
    )
    this.#reads(
      'fridge_certificate_renewal_due',
      'Whether two thirds of its lifetime are over: 1 or 0.',
      each(({ renewFrom }) => Number(clock.now() >= renewFrom), Math.max),
      'certificate',
    )
  }

  /** Every exporter has these names, so common dashboards and alerts fit. */
  #describeProcess(): void {
    this.#counts('process_cpu_seconds_total', 'Processor time, user and system.', () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    })
    const startedAt = Math.round(performance.timeOrigin) / 1_000
    this.#reads('process_start_time_seconds', 'When the process started.', () => startedAt)
    this.#reads('process_resident_memory_bytes', 'Resident memory.', () =>
      process.memoryUsage.rss(),
    )
    this.#reads(
      'nodejs_heap_size_used_bytes',
      'Used heap of V8.',
      () => process.memoryUsage().heapUsed,
    )
    this.#reads(
      'nodejs_external_memory_bytes',
      'Memory of buffers and other things outside the heap of V8.',
      () => process.memoryUsage().external,
    )
    const files = new Gauge({
      name: 'process_open_fds',
      help: 'Open file descriptors; 0 where the system does not tell.',
      registers: [],
      collect: async () => {
        // Listing the descriptors opens another.
        const open = await readdir('/proc/self/fd').catch(() => [''])
        files.set(open.length - 1)
      },
    })
    this.#registry.registerMetric(files)
    this.#reads(
      'fridge_event_loop_lag_seconds',
      'How late the event loop was since the last scrape; percentile 100 is the worst.',
      () => {
        const late = (nanoseconds: number): number =>
          Math.max(0, nanoseconds / 1e9 - LAG_RESOLUTION_MS / 1_000)
        const { max } = this.#lag
        const readings = {
          '50': late(this.#lag.percentile(50)),
          '99': late(this.#lag.percentile(99)),
          '100': late(max),
        }
        this.#lag.reset()
        return readings
      },
      'percentile',
    )
    this.#counts(
      'fridge_event_loop_active_seconds_total',
      'How long the event loop had work; its rate is how busy the node is, from 0 to 1.',
      () => performance.eventLoopUtilization().active / 1_000,
    )
  }

  #certificates(): readonly Lifetime[] {
    const { credentials } = this.#source.trust
    if (this.#lifetimes?.of !== credentials) {
      this.#lifetimes = { of: credentials, all: lifetimes(credentials) }
    }
    return this.#lifetimes.all
  }

  /** A gauge of several labels that is filled at each scrape: what is not set is not there. */
  #fills(...[name, help, labels, fill]: Parameters<AddGauge>): void {
    const gauge = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect: () => {
        gauge.reset()
        fill(gauge.set.bind(gauge))
      },
    })
  }

  /** A gauge that is read at each scrape. */
  #reads(name: string, help: string, read: () => Reading, label?: string): void {
    const gauge = new Gauge({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [this.#registry],
      collect: () => {
        for (const [labels, value] of labelled(read(), label)) gauge.set(labels, value)
      },
    })
  }

  /** A counter that is read at each scrape: its numbers are counted elsewhere. */
  #counts(name: string, help: string, read: () => Reading, label?: string): void {
    const counter = new Counter({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [this.#registry],
      collect: () => {
        counter.reset()
        for (const [labels, value] of labelled(read(), label)) counter.inc(labels, value)
      },
    })
  }
}

function labelled(reading: Reading, label = ''): [Record<string, string>, number][] {
  if (typeof reading === 'number') return [[{}, reading]]
  return Object.entries(reading).map(([value, number]) => [{ [label]: value }, number])
}
