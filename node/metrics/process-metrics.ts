import { readdir } from 'node:fs/promises'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { MetricsRegistry } from './registry.ts'

/** Resolution of the lag of the event loop, ms; less wakes an idle node more often. */
const LAG_RESOLUTION_MS = 20

/**
 * What Prometheus is told of the process. Every exporter has these names, so common dashboards and
 * alerts fit. Dispose it to watch the event loop no more.
 */
export function describeProcess(registry: MetricsRegistry): Disposable {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  lag.enable()
  registry.counts('process_cpu_seconds_total', 'Processor time, user and system.', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  const startedAt = Math.round(performance.timeOrigin) / 1_000
  registry.reads('process_start_time_seconds', 'When the process started.', () => startedAt)
  registry.reads('process_resident_memory_bytes', 'Resident memory.', () =>
    process.memoryUsage.rss(),
  )
  registry.reads(
    'nodejs_heap_size_used_bytes',
    'Used heap of V8.',
    () => process.memoryUsage().heapUsed,
  )
  registry.reads(
    'nodejs_external_memory_bytes',
    'Memory of buffers and other things outside the heap of V8.',
    () => process.memoryUsage().external,
  )
  registry.fills(
    'process_open_fds',
    'Open file descriptors; 0 where the system does not tell.',
    [],
    async set => {
      // Listing the descriptors opens another.
      const open = await readdir('/proc/self/fd').catch(() => [''])
      set({}, open.length - 1)
    },
  )
  registry.reads(
    'fridge_event_loop_lag_seconds',
    'How late the event loop was since the last scrape; percentile 100 is the worst.',
    () => {
      const late = (nanoseconds: number): number =>
        Math.max(0, nanoseconds / 1e9 - LAG_RESOLUTION_MS / 1_000)
      const { max } = lag
      const readings = {
        '50': late(lag.percentile(50)),
        '99': late(lag.percentile(99)),
        '100': late(max),
      }
      lag.reset()
      return readings
    },
    'percentile',
  )
  registry.counts(
    'fridge_event_loop_active_seconds_total',
    'How long the event loop had work; its rate is how busy the node is, from 0 to 1.',
    () => performance.eventLoopUtilization().active / 1_000,
  )
  return { [Symbol.dispose]: () => void lag.disable() }
}
