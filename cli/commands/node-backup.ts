import { dirname, join, resolve } from 'node:path'
import { backupDatabase } from '../../node/storage/backup.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { count } from '../table.ts'
import { shownPath } from './certs-options.ts'
import { nodeFolders, type NodeFolderOptions } from './node-options.ts'

export interface NodeBackupOptions extends NodeFolderOptions {
  readonly force?: boolean
  readonly json?: boolean
}

/**
 * Copy the database of a node on this machine, running or not. It works on the data folder and
 * not over a connection: a node would write where an operator elsewhere does not expect it.
 */
export async function runNodeBackup(
  file: string,
  options: NodeBackupOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { database } = await nodeFolders(options, io)
  const target = resolve(io.cwd, file)
  const made = await backupDatabase(database, target, { force: options.force === true })
  if (options.json === true) io.out(JSON.stringify({ file: target, ...made }))
  else {
    const size = `${count(made.changes, 'change')} of ${count(made.sources, 'source')}`
    io.out(`${shownPath(target, io.cwd)} holds ${size} (${made.bytes} bytes)`)
    for (const archive of made.archives) {
      const from = shownPath(join(dirname(database), archive), io.cwd)
      io.out(`  older changes are in ${from}: copy it beside the copy too`)
    }
  }
  return EXIT.done
}
