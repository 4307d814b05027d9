import { constants } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { errorCode } from '../lib/errors.ts'

/** For `secureOptions`: OpenSSL begins no second handshake on a connection. */
export const NO_RENEGOTIATION = constants.SSL_OP_NO_RENEGOTIATION

const REFUSED = 'ERR_TLS_RENEGOTIATION_DISABLED'

/**
 * End a connection of TLS 1.2 whose other end asks for a second handshake. In it, the other end
 * could show another certificate than the one that was let in, of an authority that has been
 * withdrawn since.
 */
export function endAtRenegotiation(socket: TLSSocket): void {
  // TLS 1.3 has none, and its updates of keys would be taken for one.
  if (socket.getProtocol() === 'TLSv1.3') return
  socket.disableRenegotiation()
  // Node.js tells of the attempt, and leaves the connection as it was.
  socket.on('error', error => {
    if (errorCode(error) === REFUSED) socket.destroy()
  })
}
