import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClientProtocol } from './broker-protocols.ts'
import type { CertificateFiles } from './site.ts'

/** What the process of the clients is told. */
export interface ClientsOrder {
  readonly protocol: ClientProtocol
  readonly port: number
  readonly clients: number
  /** Where the server is a broker, this process publishes what it is told there. */
  readonly control?: string
  readonly files: CertificateFiles
}

/** What it answers when it is asked. */
export interface Delivered {
  /** Events that all clients have received, together. */
  readonly events: number
  /** When they were counted, on a clock that never goes back, ms. */
  readonly atMs: number
}

export interface ClientProcess extends AsyncDisposable {
  delivered(): Promise<Delivered>
  /** Let it run for a while. @throws when a client is cut meanwhile */
  wait(ms: number): Promise<void>
}

/** Connect clients from a process of their own. Resolves when all of them hear events. */
export async function startClients(order: ClientsOrder): Promise<ClientProcess> {
  const child = fork(join(import.meta.dirname, 'clients.ts'), [JSON.stringify(order)])
  const exit = once(child, 'exit')
  const failed = exit.then(([status]) => Promise.reject(new Error(`clients ended with ${status}`)))
  failed.catch(() => {})
  const answer = async (): Promise<Delivered> => {
    const [message] = (await Promise.race([once(child, 'message'), failed])) as [Delivered]
    return message
  }
  await answer()
  return {
    delivered: async () => {
      child.send('count')
      return answer()
    },
    wait: async ms => Promise.race([delay(ms), failed]),
    [Symbol.asyncDispose]: async () => {
      child.disconnect()
      await exit
    },
  }
}
