import type { Command } from 'commander'
import { DEFAULT_PORT, parseAddress, type Address } from '../node/lib/address.ts'
import { connect } from '../node/client/connect.ts'
import { connectAny } from '../node/client/failover.ts'
import type { NodeConnection } from '../node/client/node-connection.ts'
import type { Fridge } from '../node/client/fridge.ts'
import { findCredentials, type Credentials } from '../node/identity/credentials.ts'
import { parseName, type Role } from '../node/identity/names.ts'
import { certificateFolder, type FolderOptions } from './commands/certs-options.ts'
import type { CommandIo } from './io.ts'
import { passphraseOf } from './passphrase.ts'

/** What every command takes that talks to a cluster. */
export interface TargetOptions extends FolderOptions {
  readonly node?: readonly string[] | undefined
  readonly as?: string | undefined
  readonly json?: boolean | undefined
}

/** Add the options of `TargetOptions` to a command. */
export function addTargetOptions(
  command: Command,
  role: 'operator' | 'client' | 'client, or operator/NAME,',
): Command {
  return command
    .option(
      '--node <host:port>',
      `a node; repeat for more, the first that answers serves (default 127.0.0.1:${DEFAULT_PORT}, or FRIDGE_NODE)`,
      collect,
    )
    .option('--as <name>', `which ${role} to be (default the only one there is, or FRIDGE_AS)`)
    .option('--certs <dir>', 'certificate folder (default ./certs, or FRIDGE_CERTS)')
    .option('--json', 'print JSON')
}

export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value]
}

/** The nodes that a person named, by `--node` or `FRIDGE_NODE`. @throws FridgeError `ERR_USAGE` */
export function targetNodes({ node }: TargetOptions, { env }: CommandIo): Address[] {
  const named =
    node ??
    env['FRIDGE_NODE']
      ?.split(',')
      .map(text => text.trim())
      .filter(text => text !== '')
  return (named ?? [`127.0.0.1:${DEFAULT_PORT}`]).map(parseAddress)
}

/** Who a person wants to be. @throws FridgeError with the command that mends it */
export async function targetCredentials(
  options: TargetOptions,
  role: Role,
  io: CommandIo,
): Promise<Credentials> {
  const as = options.as ?? io.env['FRIDGE_AS']
  const credentials = await findCredentials(
    {
      dir: certificateFolder(options, io),
      role,
      name: as === undefined ? undefined : parseName(as),
    },
    { now: io.clock.now(), ask: passphraseOf(io) },
  )
  for (const warning of credentials.warnings) io.err(`fridge: ${warning}`)
  return credentials
}

/**
 * Connect to the first node that answers, as `--as client/NAME` or `operator/NAME` says.
 * @param role whose name it is where only a name is said, or none
 */
export async function connectAs(
  role: 'operator' | 'client',
  options: TargetOptions,
  io: CommandIo,
): Promise<NodeConnection> {
  const as = options.as ?? io.env['FRIDGE_AS']
  const [, said = role, name] = /^(?:(client|operator)\/)?(.*)$/s.exec(as ?? '') ?? []
  const who = { ...options, as: name === '' ? undefined : name }
  return await connectAny(targetNodes(options, io), {
    credentials: await targetCredentials(who, said as Role, io),
    clock: io.clock,
    signal: io.signal,
  })
}

/** Connect as a client to the first node that answers, and stay connected. */
export async function connectClient(options: TargetOptions, io: CommandIo): Promise<Fridge> {
  let sayTo = io
  return connect({
    nodes: targetNodes(options, io),
    credentials: async () => {
      const credentials = await targetCredentials(options, 'client', sayTo)
      // Files are read again at each reconnect; their warnings are for once.
      sayTo = { ...io, err: () => {} }
      return credentials
    },
    clock: io.clock,
    signal: io.signal,
  })
}
