import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'

/** The unmodified packages, as an article's reader would use them: no line of ours runs in them. */

const require = createRequire(import.meta.url)

export interface StockStream extends EventEmitter {
  readonly id: string
  readonly meta: unknown
  writable: boolean
  write(data: unknown): boolean
  pipe<Target>(target: Target): Target
  pause(): void
  resume(): void
  end(): void
  destroy(): void
  error(message: unknown): void
}

export interface StockMux extends EventEmitter {
  createStream(meta?: unknown): StockStream
  write(data: string): boolean
  end(): void
}

export type StockMethods = Record<string, (...values: unknown[]) => void>

export interface StockDnode extends EventEmitter {
  pipe<Target>(target: Target): Target
  on(event: 'remote', listener: (remote: StockMethods) => void): this
  on(event: string, listener: (...values: unknown[]) => void): this
}

export const stockMux = require('mux-demux') as (
  onConnection?: (stream: StockStream) => void,
) => StockMux
export const stockEmitter = require('duplex-emitter') as (stream: unknown) => EventEmitter
export const stockDnode = require('dnode') as (
  methods: StockMethods | undefined,
  options: { weak: false },
) => StockDnode
