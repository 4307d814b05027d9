import { Counter, Gauge, Registry } from 'prom-client'

/** A number, or one for each value of the one label of a metric. */
type Reading = number | Readonly<Record<string, number>>

/** Sets the numbers of a metric of several labels; what it does not set is not there. */
type Fill = (set: (labels: Record<string, string>, value: number) => void) => void | Promise<void>

/**
 * Metrics that are read at each scrape: nothing is kept up to date between two. The only file that
 * knows prom-client; its registry for whole processes is never used.
 */
export class MetricsRegistry {
  readonly #registry = new Registry()

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** All metrics now, in the text format of Prometheus. */
  async text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** A gauge of several labels that is filled at each scrape. */
  fills(name: string, help: string, labels: readonly string[], fill: Fill): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect: () => {
        gauge.reset()
        return fill(gauge.set.bind(gauge))
      },
    })
  }

  /** A gauge that is read at each scrape. */
  reads(name: string, help: string, read: () => Reading, label?: string): void {
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
  counts(name: string, help: string, read: () => Reading, label?: string): void {
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
