import type { Server } from 'node:net'
import { formatAddress, type Address } from './address.ts'
import { errorCode, FridgeError } from './errors.ts'

/**
 * Bind a server to an address.
 * @param flag the option of `fridge node start` by which a person gives another address
 * @throws FridgeError `ERR_LISTEN` when the address cannot be had
 */
export async function listen(server: Server, address: Address, flag: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => reject(cannotListen(address, error, flag))
    server.once('error', fail)
    server.listen({ host: address.host, port: address.port }, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

function cannotListen({ host, port }: Address, cause: Error, flag: string): FridgeError {
  const address = formatAddress({ host, port })
  switch (errorCode(cause)) {
    case 'EADDRINUSE':
      return new FridgeError('ERR_LISTEN', `cannot listen on ${address}: the port is in use`, {
        cause,
        fix: `stop what uses it (ss -ltnp 'sport = :${port}'), or choose another with ${flag} HOST:PORT`,
      })
    case 'EACCES':
      return new FridgeError('ERR_LISTEN', `cannot listen on ${address}: not permitted`, {
        cause,
        fix: `choose a port above 1023 with ${flag} HOST:PORT`,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new FridgeError(
        'ERR_LISTEN',
        `cannot listen on ${address}: no such address on this machine`,
        {
          cause,
          fix: `give one of its own addresses with ${flag} HOST:PORT (ip -brief address)`,
        },
      )
    default:
      return new FridgeError('ERR_LISTEN', `cannot listen on ${address}: ${cause.message}`, {
        cause,
      })
  }
}
