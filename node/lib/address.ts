import { isIPv4, isIPv6 } from 'node:net'

import { FridgeError } from './errors.ts'

/** The port that a node listens on when nothing else is said. */
export const DEFAULT_PORT = 7443

/** At how many addresses a node may say that it can be reached: peers refuse more. */
export const MAX_ADVERTISED = 8

/** Where a node is reached. */
export interface Address {
  /** A DNS name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string
  /** 0 to 65535; 0 lets the system choose and is only for listening. */
  readonly port: number
}

const BRACKETED = /^\[([^\]]+)\]:(\d{1,5})$/
const PLAIN = /^([^:[\]]+):(\d{1,5})$/
// Letters, digits, hyphens and (as container networks use them) underscores, between dots.
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$/
const ONLY_NUMBERS = /^[\d.]+$/

/** Read `HOST:PORT` or `[IPv6]:PORT`; undefined when it is neither. */
export function readAddress(text: unknown): Address | undefined {
  if (typeof text !== 'string') return undefined
  const bracketed = BRACKETED.exec(text)
  const [, host = '', digits = ''] = bracketed ?? PLAIN.exec(text) ?? []
  const port = Number(digits)
  if (digits === '' || port > 65_535) return undefined
  if (bracketed !== null) return isIPv6(host) ? { host, port } : undefined
  // "10.0.0.300" is a mistyped address, not the name of a host.
  const isHost = ONLY_NUMBERS.test(host) ? isIPv4(host) : HOST_NAME.test(host)
  return isHost ? { host, port } : undefined
}

/**
 * Read the `HOST:PORT` that a person typed as the address of a node, port 1 to 65535.
 * @throws FridgeError `ERR_USAGE` when it is no such address.
 */
export function parseAddress(text: string): Address {
  const address = readAddress(text)
  if (address !== undefined && address.port > 0) return address
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not the address of a node`, {
    fix: 'write HOST:PORT, for example 127.0.0.1:7443, node-1.example.org:7443 or [::1]:7443',
  })
}

/** `HOST:PORT`, an IPv6 host in brackets: what `readAddress` reads back. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
