import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of all tests. */
export const TEST_FOLDER = fileURLToPath(new URL('..', import.meta.url))

/**
 * Folders whose tests share a process, by the name of the share. The shares run side by side, so
 * they are to take about as long as each other.
 */
const FOLDERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['attack', ['attack/']],
  ['cli', ['cli/']],
  [
    'clients-and-simulation',
    ['node/authority/', 'node/identity/', 'node/sessions/', 'node/client/', 'simulation/', 'fuzz/'],
  ],
])

/** Runs what is in none of these folders: no test file has to be registered. */
const REST = 'rest'

export const SHARES: readonly string[] = [...FOLDERS.keys(), REST]

/** Folders whose tests need more than this process: an engine, a browser, namespaces, npm. */
const APART: readonly string[] = ['cluster/**', 'browser/**', 'lines/**', 'package/**']

/** Every test file but those apart, below the folder of tests. */
export function listTestFiles(): string[] {
  return globSync('**/*.test.ts', { cwd: TEST_FOLDER, exclude: [...APART] }).sort()
}

/** The test files of a share, each of which is in no other. */
export function filesOfShare(share: string): string[] {
  return listTestFiles().filter(file => shareOf(file) === share)
}

/** Which share a test file is in. */
export function shareOf(file: string): string {
  for (const [share, folders] of FOLDERS) {
    if (folders.some(folder => file.startsWith(folder))) return share
  }
  return REST
}
