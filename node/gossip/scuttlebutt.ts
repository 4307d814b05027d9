import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import type { Source } from '../identity/names.ts'

/** The one file that knows the package `scuttlebutt` 5.6.15: it gives the package types. */

/** What the package says and hears of one link. */
export interface PackageStream extends EventEmitter {
  write(frame: unknown): boolean
  pause(): void
  resume(): void
  destroy(): void
}

interface Package extends EventEmitter {
  readonly id: Source
  /** The clock: the greatest sequence by source. */
  sources: Record<string, number>
  createStream(options: { wrapper: 'raw' }): PackageStream
}

export const Scuttlebutt = createRequire(import.meta.url)('scuttlebutt') as new (
  id: string,
) => Package
