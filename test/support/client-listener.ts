import type { ConnectOptions } from '../../node/client/connect.ts'
import type { FridgeEvent } from '../../node/client/events.ts'
import type { Fridge } from '../../node/client/fridge.ts'
import type { Cluster } from './cluster.ts'

/** As `c1`, on nodes by their numbers or addresses. */
export function clientOptions(cluster: Cluster, nodes: readonly (number | string)[]) {
  return {
    nodes: nodes.map(node => (typeof node === 'number' ? cluster.address(node) : node)),
    certs: cluster.certs.dir,
    as: 'c1',
    retry: { minMs: 1, maxMs: 20 },
  } satisfies ConnectOptions
}

/** An event in short. */
function short(event: FridgeEvent): string {
  switch (event.type) {
    case 'connected':
      return `connected ${event.node}${event.resumed ? ' resumed' : ''}`
    case 'lost':
      // A cut shows as an end or as a reset, by what was under way.
      return `lost ${event.node} ${event.reason.code.replace('ERR_UNREACHABLE', 'ERR_CLOSED')}`
    case 'missed':
      return `${event.sensor} missed ${event.count}`
    case 'alarm':
      return `${event.alarm.sensor} ${event.alarm.rule} ${event.state}`
    case 'withdrawn':
      return `${event.sensor} withdrawn`
    default:
      return `${event.sensor} ${event.type}`
  }
}

/** Everything but readings, which come when they will, in short. */
export class Listener {
  readonly heard: string[] = []
  readonly #events: AsyncGenerator<FridgeEvent, void>

  constructor(events: AsyncGenerator<FridgeEvent, void>) {
    this.#events = events
  }

  /** Listen until one comes that is this. @returns what came, the last one included */
  async until(text: string): Promise<string[]> {
    const heard: string[] = []
    for (;;) {
      const { done, value } = await this.#events.next()
      if (done === true) throw new Error(`no ${text} behind ${heard.join()}`)
      const said = short(value)
      if (said.startsWith('temperature')) continue
      heard.push(said)
      if (said === text) return heard
    }
  }
}

/** Listen to all of a client's events. */
export const listen = (fridge: Fridge): Listener => new Listener(fridge.events())
