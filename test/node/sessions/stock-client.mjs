// A whole client over the unmodified packages: node:tls, mux-demux, duplex-emitter, dnode.
// node stock-client.mjs HOST PORT CERTIFICATE-FOLDER NAME
import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import dnode from 'dnode'
import duplexEmitter from 'duplex-emitter'
import MuxDemux from 'mux-demux'

export function connectStock({ host, port, certs, name }, onEvent, onRemote) {
  const ca = readFileSync(`${certs}/ca/certificate.pem`)
  const key = readFileSync(`${certs}/clients/${name}/private-key.pem`)
  const cert = readFileSync(`${certs}/clients/${name}/certificate.pem`)
  const socket = connect({ host, port, ca, key, cert })
  const mux = MuxDemux(stream => {
    onEvent(stream.meta, 'stream')
    const events = duplexEmitter(stream)
    for (const event of ['open', 'close', 'reading', 'unavailable']) {
      events.on(event, (...values) => onEvent(stream.meta, event, ...values))
    }
  })
  socket.pipe(mux).pipe(socket)
  socket.on('error', error => onEvent('socket', 'error', error.code))
  socket.on('close', () => onEvent('socket', 'close'))
  const rpc = dnode(undefined, { weak: false })
  rpc.on('remote', onRemote)
  rpc.pipe(mux.createStream('rpc')).pipe(rpc)
  return socket
}

if (import.meta.filename === process.argv[1]) {
  const [host, port, certs, name] = process.argv.slice(2)
  const say = (...values) => console.log(JSON.stringify(values))
  const socket = connectStock({ host, port, certs, name }, say, remote => {
    remote.setTargetTemperature(6, (...answer) => {
      say('setTargetTemperature', ...answer)
      remote.defrost((...answer) => say('defrost', ...answer))
    })
  })
  process.on('SIGTERM', () => socket.destroy())
}
