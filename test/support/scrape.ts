import { formatAddress } from '../../node/lib/address.ts'
import { Counts } from '../../node/sessions/counts.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import type { MetricsSource } from '../../node/metrics/metrics.ts'
import type { RunningNode } from '../../node/start.ts'

/** What a node answered over HTTP. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** For the configuration of a test's node: metrics on a port that the system chooses. */
export const METRICS_ON = { metrics: { listen: '127.0.0.1:0' } }

/** Ask the metrics port of a node. */
export async function ask(
  { metrics }: Pick<RunningNode, 'metrics'>,
  path: string,
  init: RequestInit = {},
): Promise<HttpAnswer> {
  if (metrics === undefined) throw new Error('it serves no metrics')
  const response = await fetch(`http://${formatAddress(metrics)}${path}`, init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const SAMPLE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g

/** The samples of an exposition by name and labels: `name`, or `name value` for one of one label. */
export class Samples {
  readonly #values = new Map<string, number>()
  /** The type of each metric. */
  readonly types = new Map<string, string>()
  /** The labels that each metric has been seen with. */
  readonly labels = new Map<string, readonly string[]>()

  /** @throws when a line is none of the text format (Prometheus, "Exposition formats") */
  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, name, type] = /^# TYPE (\S+) (counter|gauge)$/.exec(line) ?? []
      if (name !== undefined && type !== undefined) this.types.set(name, type)
      if (line === '' || line.startsWith('# ')) continue
      const sample = SAMPLE.exec(line)
      if (sample === null || Number.isNaN(Number(sample[3]))) throw new Error(`no sample: ${line}`)
      const labels = [...(sample[2] ?? '').matchAll(LABEL)]
      const key = [sample[1], ...labels.map(([, , value]) => value)].join(' ')
      this.labels.set(
        sample[1] ?? '',
        labels.map(([, label = '']) => label),
      )
      this.#values.set(key, Number(sample[3]))
    }
  }

  /** @throws when there is none */
  of(key: string): number {
    const value = this.#values.get(key)
    if (value === undefined) throw new Error(`no sample ${key}`)
    return value
  }
}

/** Scrape a node as Prometheus does. */
export async function scrape(node: Pick<RunningNode, 'metrics'>): Promise<Samples> {
  const { status, text } = await ask(node, '/metrics')
  if (status !== 200) throw new Error(`${status}: ${text}`)
  return new Samples(text)
}

/** A node in which nothing happens. */
export function quietSource(credentials: Credentials): MetricsSource {
  return {
    name: credentials.identity.name,
    version: '1.2.3',
    counts: new Counts(),
    fanOut: { counts: { events: 0, delivered: 0, bytes: 0, conflated: 0 } },
    numbers: () => ({ sensors: [], alarms: [], receivers: [] }),
    sessions: { size: 0, clients: 0, pages: 0, unsigned: 0 },
    overlay: { links: () => [] },
    relays: { connections: { served: 0, asked: 0 }, audiences: { served: 0, asked: 0 } },
    members: { live: () => new Map(), unreachable: () => new Map(), left: () => new Map() },
    whitelist: () => ({ changes: 0, size: 0 }),
    trust: { credentials },
    port: { connections: 0, handshaking: 0 },
    maxConnections: 1,
    isolation: { isIsolated: false, aloneMs: 0 },
    seals: { counts: { events: 0 } },
    isReady: () => true,
    isRecorded: () => true,
    clock: { now: () => Date.now() },
  }
}
