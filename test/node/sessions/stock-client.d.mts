import type { TLSSocket } from 'node:tls'

export interface StockTarget {
  readonly host: string
  readonly port: number
  readonly certs: string
  readonly name: string
}

/** Arguments, then a callback of `(error, text)`. */
export type StockRemote = Readonly<Record<string, (...values: unknown[]) => void>>

export function connectStock(
  target: StockTarget,
  onEvent: (stream: string, event: string, ...values: unknown[]) => void,
  onRemote: (remote: StockRemote) => void,
): TLSSocket
