import { statfsSync } from 'node:fs'

/** Where Linux keeps files in memory. */
const MEMORY_FOLDER = '/dev/shm'
/** Many times what the tests have there at once. */
const ENOUGH_BYTES = 512 * 1_024 * 1_024

/**
 * Where the tests make their folders. Nodes write every change through to the disk, and no test
 * pulls the plug of the machine: in memory that costs nothing.
 */
function environmentVariables() {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_FOLDER)
    if (bavail * bsize >= ENOUGH_BYTES) return { TMPDIR: MEMORY_FOLDER }
  } catch {
    // There is none.
  }
  return {}
}

export default {
  files: ['test/shares/entries/*.ts'],
  extensions: { ts: 'module' },
  environmentVariables: environmentVariables(),
  timeout: '60s',
  concurrency: 4,
  workerThreads: false,
}
