/**
 * Ends 0 when the node of this container answers on its port with a TLS handshake, 1 when it does
 * not within four seconds: a process that hangs still accepts connections, but shakes no hands.
 */
import { readFile } from 'node:fs/promises'
import { connect } from 'node:tls'

const { FRIDGE_NAME: name = '', FRIDGE_CERTS: certs = '/certs' } = process.env
const [ca, cert, key] = await Promise.all([
  readFile(`${certs}/ca/certificate.pem`),
  readFile(`${certs}/nodes/${name}/certificate.pem`),
  readFile(`${certs}/nodes/${name}/private-key.pem`),
])
const options = { host: '127.0.0.1', port: 7443, servername: name, ALPNProtocols: ['fridge/1'] }
setTimeout(() => process.exit(1), 4_000)
const socket = connect({ ...options, ca, cert, key }, () => {
  socket.destroy()
  process.exit(0)
})
socket.on('error', () => process.exit(1))
