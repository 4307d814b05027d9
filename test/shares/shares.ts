import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of all tests. */
export const TEST_FOLDER = fileURLToPath(new URL('..', import.meta.url))

/**
 * Folders whose tests share a process, by the name of the share, in the order in which they run. The
 * shares run side by side, so they are to take about as long as each other. What starts many
 * processes comes first: to fork takes the longer the more memory the process has.
 */
const FOLDERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['faults-and-attacks', ['fault/', 'attack/']],
  ['cli', ['cli/']],
  [
    'list-and-clients',
    [
      'node/authority/',
      'node/client/',
      'node/identity/',
      'node/sessions/',
      'simulation/',
      'fuzz/',
      'node/whitelist/',
      'node/gossip/',
    ],
  ],
])

/** Runs what is in none of these folders: no test file has to be registered. */
const REST = 'rest'

/** What of the rest starts many processes, and so comes first. */
const FIRST_OF_REST: readonly string[] = [
  'node/sensors/',
  'node/storage/',
  'node/alarms/',
  'certs/',
]

export const SHARES: readonly string[] = [...FOLDERS.keys(), REST]

/** Folders whose tests need more than this process: an engine, a browser, namespaces, npm. */
const APART: readonly string[] = ['cluster/**', 'browser/**', 'lines/**', 'package/**']

/** Every test file but those apart, below the folder of tests. */
export function listTestFiles(): string[] {
  return globSync('**/*.test.ts', { cwd: TEST_FOLDER, exclude: [...APART] }).sort()
}

/** The test files of a share, each of which is in no other, in the order in which they run. */
export function filesOfShare(share: string): string[] {
  const files = listTestFiles().filter(file => shareOf(file) === share)
  const folders = FOLDERS.get(share) ?? FIRST_OF_REST
  const placeOf = (file: string): number => {
    const place = folders.findIndex(folder => file.startsWith(folder))
    return place < 0 ? folders.length : place
  }
  return files.sort((one, other) => placeOf(one) - placeOf(other))
}

/** Which share a test file is in. */
export function shareOf(file: string): string {
  for (const [share, folders] of FOLDERS) {
    if (folders.some(folder => file.startsWith(folder))) return share
  }
  return REST
}
