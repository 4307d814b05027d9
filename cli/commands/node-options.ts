import type { Command } from 'commander'
import { join, resolve } from 'node:path'
import { loadConfig } from '../../node/config/load-config.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import type { CommandIo } from '../io.ts'
import { certificateFolder } from './certs-options.ts'

/** How a command that works on a node's own folders is told which. */
export interface NodeFolderOptions {
  readonly config?: string | undefined
  readonly name?: string | undefined
  readonly certs?: string | undefined
  readonly data?: string | undefined
}

/** Add the options of `NodeFolderOptions` to a command. */
export function addFolderOptions(command: Command): Command {
  return command
    .option('--data <dir>', 'folder of its database (default ./data/NAME)')
    .option('--name <name>', 'the node, where it has no other folder')
    .option('--config <file>', 'its configuration, which names its folders')
}

/**
 * The database of the node that is meant, and its certificate folder, both absolute.
 * @throws FridgeError `ERR_USAGE` when nothing says which, `ERR_CONFIG`
 */
export async function nodeFolders(
  { config: file, ...flags }: NodeFolderOptions,
  io: CommandIo,
): Promise<{ database: string; certs: string }> {
  const { env, cwd } = io
  const data = flags.data ?? (file === undefined ? env['FRIDGE_DATA'] : undefined)
  if (data !== undefined && file === undefined) {
    return {
      database: join(resolve(cwd, data), DATABASE_FILE),
      certs: certificateFolder(flags, io),
    }
  }
  if (file === undefined && flags.name === undefined && env['FRIDGE_NAME'] === undefined) {
    throw new FridgeError('ERR_USAGE', 'nothing says which node', {
      fix: 'name its folder with --data DIR, or its configuration with --config FILE',
    })
  }
  const config = await loadConfig({ file, env, flags, cwd })
  return { database: join(config.data, DATABASE_FILE), certs: config.certs }
}
