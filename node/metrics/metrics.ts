import { lifetimes, type Lifetime } from '../identity/certificate-lifetime.ts'
import type { FridgeNumbers } from '../alarms/numbers.ts'
import type { Clock } from '../lib/clock.ts'
import { describeFleet, describeFridge } from './fridge-metrics.ts'
import { describeProcess } from './process-metrics.ts'
import { MetricsRegistry } from './registry.ts'
import type { Counts } from '../sessions/counts.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { FanOut } from '../events/fan-out.ts'
import type { Seals } from '../seal/seals.ts'
import type { Isolation } from '../gossip/isolation.ts'
import type { Members } from '../gossip/members.ts'
import type { Overlay } from '../gossip/overlay.ts'
import type { Name } from '../identity/names.ts'
import type { RelayEnds } from '../relays/relay-ends.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Trust } from '../identity/trust.ts'
import type { Whitelist } from '../whitelist/whitelist.ts'

/** The parts of a node that are read at each scrape. */
export interface MetricsSource {
  readonly name: Name
  readonly version: string
  readonly counts: Counts
  readonly fanOut: Pick<FanOut, 'counts'>
  readonly seals: Pick<Seals, 'counts'>
  readonly numbers: () => FridgeNumbers
  readonly sessions: Pick<Sessions, 'size' | 'clients' | 'pages' | 'unsigned'>
  readonly overlay: Pick<Overlay, 'links'>
  readonly relays: Pick<RelayEnds, 'connections' | 'audiences'>
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

/** What a node tells Prometheus: each scrape reads the node. */
export class Metrics implements Disposable {
  readonly #registry = new MetricsRegistry()
  readonly #process: Disposable
  readonly #source: MetricsSource
  #lifetimes: { of: Credentials; all: readonly Lifetime[] } | undefined

  constructor(source: MetricsSource) {
    this.#source = source
    this.#describeNode()
    describeFridge(this.#registry, source.numbers)
    describeFleet(this.#registry, source.members)
    this.#describeConnections()
    this.#describeClients()
    this.#describePages()
    this.#describeEnrolment()
    this.#describeCluster()
    this.#describeCertificates()
    this.#process = describeProcess(this.#registry)
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** All metrics now, in the text format of Prometheus. */
  async text(): Promise<string> {
    return this.#registry.text()
  }

  [Symbol.dispose](): void {
    this.#process[Symbol.dispose]()
  }

  #describeNode(): void {
    const { name, version, isReady, isRecorded, fanOut, seals } = this.#source
    this.#registry.fills(
      'fridge_build_info',
      'Always 1; what runs here.',
      ['node', 'version', 'runtime'],
      set => set({ node: name, version, runtime: process.version }, 1),
    )
    this.#registry.reads('fridge_ready', 'Whether the node serves clients: 1 or 0.', () =>
      Number(isReady()),
    )
    this.#registry.reads(
      'fridge_history_recording',
      'Whether what the sensors say is recorded: 1 or 0; the log says why not.',
      () => Number(isRecorded()),
    )
    this.#registry.counts(
      'fridge_sensor_events_total',
      'Events that the sensors gave.',
      () => fanOut.counts.events,
    )
    this.#registry.counts(
      'fridge_sealed_events_total',
      'Events of sealed sensors that were sealed: each once, however many are sent it.',
      () => seals.counts.events,
    )
    this.#registry.counts(
      'fridge_fan_out_events_total',
      'Events handed to clients; one counts once for each client.',
      () => fanOut.counts.delivered,
    )
    this.#registry.counts(
      'fridge_fan_out_bytes_total',
      'Bytes of the events written to clients, with their frames, before TLS.',
      () => fanOut.counts.bytes,
    )
    this.#registry.counts(
      'fridge_fan_out_conflated_total',
      'Readings that a slow client was not sent, because a newer one took their place.',
      () => fanOut.counts.conflated,
    )
  }

  #describeConnections(): void {
    const { sessions, overlay, counts, port, maxConnections } = this.#source
    this.#registry.reads(
      'fridge_connections',
      'Connections that were let in and are live, by role; those of nodes are gossip links.',
      () => ({
        client: sessions.clients,
        operator: sessions.size - sessions.clients - sessions.unsigned,
        node: overlay.links().length,
      }),
      'role',
    )
    this.#registry.reads(
      'fridge_tcp_connections',
      'Connections that the port holds, in their handshake and after it.',
      () => port.connections,
    )
    this.#registry.reads(
      'fridge_tcp_connections_max',
      'How many it may hold: limits.maxConnections.',
      () => maxConnections,
    )
    this.#registry.reads(
      'fridge_handshakes_in_progress',
      'Connections in their handshake.',
      () => port.handshaking,
    )
    this.#registry.counts(
      'fridge_handshakes_total',
      'Handshakes by what became of them; limited by address or in all, dropped at limits.maxConnections.',
      () => counts.handshakes,
      'outcome',
    )
    this.#registry.counts(
      'fridge_connections_accepted_total',
      'Connections that were let in, by role.',
      () => counts.accepted,
      'role',
    )
    this.#registry.counts(
      'fridge_connections_refused_total',
      'Connections that were not let in, by reason.',
      () => counts.refused,
      'reason',
    )
    this.#registry.counts(
      'fridge_connections_cut_total',
      'Live connections of clients and operators that the node ended, by reason.',
      () => counts.cut,
      'reason',
    )
  }

  #describeClients(): void {
    const { counts } = this.#source
    this.#registry.counts(
      'fridge_client_throttles_total',
      'How often a client was not read for a moment, past limits.maxFramesPerSecond.',
      () => counts.throttled,
    )
  }

  #describePages(): void {
    const { sessions, relays, counts } = this.#source
    this.#registry.reads(
      'fridge_pages',
      'Pages in browsers that have joined and are live.',
      // Those of other nodes that read here count under their origins too.
      () => sessions.pages - relays.audiences.served,
    )
    this.#registry.reads(
      'fridge_relays',
      'Connections over which pages of this node read at others (asked), and of others here (served).',
      () => relays.connections,
      'kind',
    )
    this.#registry.reads(
      'fridge_relay_audiences',
      'For how many origins and browsers they read.',
      () => relays.audiences,
      'kind',
    )
    this.#registry.counts(
      'fridge_pages_accepted_total',
      'Pages that were let in: of this node itself, or of a listed origin.',
      () => counts.web.accepted,
      'kind',
    )
    this.#registry.counts(
      'fridge_pages_refused_total',
      'Pages that were not let in, by reason.',
      () => counts.web.refused,
      'reason',
    )
    this.#registry.counts(
      'fridge_web_handshakes_total',
      'Handshakes on the port for browsers, by what became of them.',
      () => counts.web.handshakes,
      'outcome',
    )
  }

  #describeEnrolment(): void {
    const { counts } = this.#source
    this.#registry.counts(
      'fridge_enrolment_handshakes_total',
      'Handshakes on the port where clients get certificates, by what became of them.',
      () => counts.enrolment.handshakes,
      'outcome',
    )
  }

  #describeCluster(): void {
    const { members, whitelist, counts, isolation } = this.#source
    this.#registry.counts(
      'fridge_gossip_links_ended_total',
      'Links that ended, by reason.',
      () => counts.linksEnded,
      'reason',
    )
    this.#registry.reads(
      'fridge_nodes',
      'Nodes of the cluster as this one sees it, itself included.',
      () => ({
        up: members.live().size,
        'out of reach': members.unreachable().size,
        left: members.left().size,
      }),
      'state',
    )
    this.#registry.reads(
      'fridge_last_sync_timestamp_seconds',
      'When an exchange with a peer was last completed; 0 before the first. Later changes flow over the link.',
      () => (counts.lastSyncAt ?? 0) / 1_000,
    )
    this.#registry.reads(
      'fridge_alone_seconds',
      'How long no peer in step has been heard; 0 while one says that it lives.',
      () => isolation.aloneMs / 1_000,
    )
    this.#registry.reads(
      'fridge_isolated',
      'Whether that is longer than isolatedAfterMs and peers are known: 1 or 0.',
      () => Number(isolation.isIsolated),
    )
    this.#registry.reads(
      'fridge_whitelist_subjects',
      'Names that the list knows, let in or not.',
      () => whitelist().size,
    )
    this.#registry.reads(
      'fridge_whitelist_changes',
      'Changes in the list; equal on nodes that are in step.',
      () => whitelist().changes,
    )
    this.#registry.counts(
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
    this.#registry.reads(
      'fridge_certificate_expiry_timestamp_seconds',
      'The last moment of the certificate of this node, and of the authority above it.',
      each(({ endsAt }) => endsAt / 1_000, Math.min),
      'certificate',
    )
    this.#registry.reads(
      'fridge_certificate_left_seconds',
      'What is left until then; negative after it.',
      each(({ endsAt }) => (endsAt - clock.now()) / 1_000, Math.min),
      'certificate',
    )
    this.#registry.reads(
      'fridge_certificate_renewal_due',
      'Whether two thirds of its lifetime are over: 1 or 0.',
      each(({ renewFrom }) => Number(clock.now() >= renewFrom), Math.max),
      'certificate',
    )
  }

  #certificates(): readonly Lifetime[] {
    const { credentials } = this.#source.trust
    if (this.#lifetimes?.of !== credentials) {
      this.#lifetimes = { of: credentials, all: lifetimes(credentials) }
    }
    return this.#lifetimes.all
  }
}
