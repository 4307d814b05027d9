/** The layer at which something that a peer sent was refused. */
export type WireLayer = 'line' | 'json' | 'mux' | 'emitter' | 'rpc' | 'gossip' | 'page' | 'relay'

/** Why a frame was refused. A value, not an exception: hostile input is an expected outcome. */
export class Refusal {
  readonly layer: WireLayer
  readonly reason: string

  constructor(layer: WireLayer, reason: string) {
    this.layer = layer
    this.reason = reason
  }

  toString(): string {
    return `${this.layer}: ${this.reason}`
  }
}
