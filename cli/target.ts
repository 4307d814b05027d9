import { resolve } from 'node:path'
import type { Command } from 'commander'
import { DEFAULT_PORT, parseAddress, type Address } from '../node/lib/address.ts'
import { connect } from '../node/client/connect.ts'
import { connectAny } from '../node/client/failover.ts'
import type { NodeConnection } from '../node/client/node-connection.ts'
import type { Fridge } from '../node/client/fridge.ts'
import { findCredentials, type Credentials } from '../node/identity/credentials.ts'
import { parseName, type Role } from '../node/identity/names.ts'
import { FridgeError } from '../node/lib/errors.ts'
import { readPassphrase } from '../node/seal/passphrase-file.ts'
import { certificateFolder, type FolderOptions } from './commands/certs-options.ts'
import type { CommandIo } from './io.ts'
import { passphraseOf } from './passphrase.ts'

/** What every command takes that talks to a cluster. */
export interface TargetOptions extends FolderOptions {
  readonly node?: readonly string[] | undefined
  readonly as?: string | undefined
  readonly json?: boolean | undefined
  readonly passphraseFile?: string | undefined
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

/** Add the option of a command that shows what may be sealed. */
export function addPassphraseOption(command: Command): Command {
  return command.option(
    '--passphrase-file <file>',
    'open sealed sensors with the passphrase in this file, mode 0600',
  )
}

/** The passphrase that a person has named. @throws FridgeError `ERR_KEY_FILE` */
export async function targetPassphrase(
  { passphraseFile }: Pick<TargetOptions, 'passphraseFile'>,
  { cwd }: Pick<CommandIo, 'cwd'>,
): Promise<string | undefined> {
  if (passphraseFile === undefined) return undefined
  const fix = 'copy it from whoever made it for the node: seal.CHANNEL.passphraseFile'
  return readPassphrase(resolve(cwd, passphraseFile), fix)
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

/** Who a person says to be. */
export interface SaidIdentity {
  readonly role?: ClientRole
  readonly name?: string
}

/** Who a person says to be: `NAME`, `client/NAME` or `operator/NAME`; nobody where nothing is said. */
export function saidBy({ as }: TargetOptions, { env }: Pick<CommandIo, 'env'>): SaidIdentity {
  const said = as ?? env['FRIDGE_AS']
  if (said === undefined) return {}
  const [, role, name = said] = /^(client|operator)\/(.*)$/s.exec(said) ?? []
  return role === undefined ? { name } : { role: role as ClientRole, name }
}

/** The roles that a person may say to be. */
export type ClientRole = Extract<Role, 'client' | 'operator'>

/**
 * Who a person wants to be, in the role that a command is for.
 * @throws FridgeError with the command that mends it
 */
export async function targetCredentials(
  options: TargetOptions,
  role: ClientRole,
  io: CommandIo,
): Promise<Credentials> {
  const said = saidBy(options, io)
  if (said.role !== undefined && said.role !== role) {
    const text = `this command is for ${role}s, and ${said.role}/${said.name ?? ''} is none`
    throw new FridgeError('ERR_USAGE', text, { fix: `name one: --as ${role}/NAME` })
  }
  const credentials = await findCredentials(
    {
      dir: certificateFolder(options, io),
      role,
      name: said.name === undefined ? undefined : parseName(said.name),
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
  role: ClientRole,
  options: TargetOptions,
  io: CommandIo,
): Promise<NodeConnection> {
  const said = saidBy(options, io)
  const credentials = await targetCredentials(options, said.role ?? role, io).catch(
    async (error: unknown) => {
      throw said.role === undefined ? await inOtherRole(error, said, role, options, io) : error
    },
  )
  return await connectAny(targetNodes(options, io), {
    credentials,
    clock: io.clock,
    signal: io.signal,
  })
}

/** Why there is nobody of a name in a role, with the role in which there is, where that is so. */
async function inOtherRole(
  error: unknown,
  { name }: SaidIdentity,
  role: ClientRole,
  options: TargetOptions,
  io: CommandIo,
): Promise<unknown> {
  if (!(error instanceof FridgeError) || error.code !== 'ERR_KEY_FILE' || name === undefined) {
    return error
  }
  const other = role === 'operator' ? 'client' : 'operator'
  const as = `${other}/${name}`
  try {
    await targetCredentials({ ...options, as }, other, io)
  } catch {
    return error
  }
  return new FridgeError(error.code, error.message, {
    cause: error,
    fix: `did you mean --as ${as}?`,
  })
}

/** Connect as a client to the first node that answers, and stay connected. */
export async function connectClient(options: TargetOptions, io: CommandIo): Promise<Fridge> {
  let sayTo = io
  const passphrase = await targetPassphrase(options, io)
  return connect({
    ...(passphrase !== undefined && { passphrase }),
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
