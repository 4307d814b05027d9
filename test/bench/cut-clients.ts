import { readFileSync } from 'node:fs'
import { connect, type TLSSocket } from 'node:tls'
import type { CredentialFiles } from '../../node/identity/credential-files.ts'
import { ALPN } from '../../node/identity/tls.ts'
import { parseAddress } from '../../node/lib/address.ts'
import type { Cuts } from './cut-watch.ts'

/** Clients over bare node:tls: what they cost they take from the nodes. cut-clients.ts FILES */
const files = JSON.parse(process.argv[2] ?? '') as CredentialFiles
const tls = {
  ca: readFileSync(files.caFile),
  cert: readFileSync(files.certificateFile),
  key: readFileSync(files.keyFile),
  ALPNProtocols: [ALPN],
  checkServerIdentity: () => undefined,
}

/** Resolves when the node has said its first words. */
async function open(address: string): Promise<TLSSocket> {
  const socket = connect({ ...parseAddress(address), ...tls })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', () => resolve())
    socket.once('end', () => reject(new Error(`${address} has turned a client away`)))
  })
  return socket.removeAllListeners('error').removeAllListeners('end')
}

/** Resolves when the node has ended the connection. @returns when that was */
async function endOf(socket: TLSSocket): Promise<bigint> {
  socket.on('error', () => {})
  socket.resume()
  return new Promise(resolve => {
    socket.once('close', () => resolve(process.hrtime.bigint()))
    socket.once('end', () => resolve(process.hrtime.bigint()))
  })
}

async function watch(addresses: readonly string[]): Promise<void> {
  const sockets = await Promise.all(addresses.map(open))
  const ends = sockets.map(endOf)
  process.send?.('connected')
  const before = process.cpuUsage()
  const at = await Promise.all(ends)
  const { user, system } = process.cpuUsage(before)
  process.send?.({ at: at.map(String), processorMs: (user + system) / 1_000 } satisfies Cuts)
}

process.on('message', (addresses: readonly string[]) => void watch(addresses))
process.on('disconnect', () => process.exit())
