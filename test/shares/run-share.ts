import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ava from 'ava'
import { testFiles } from './loaded.ts'
import { filesOfShare, TEST_FOLDER } from './shares.ts'
import { TestFile } from './test-file.ts'

const AVA_OF_A_FILE = new URL('ava-of-a-file.ts', import.meta.url).href

/**
 * Declare the tests of every file of a share, in this process. AVA starts a process for each file
 * that it is given, and to start one costs more than most files do. A test file imports AVA as
 * ever; it is given its `TestFile` instead.
 */
export async function runShare(share: string): Promise<void> {
  for (const path of filesOfShare(share)) {
    testFiles.set(pathToFileURL(join(TEST_FOLDER, path)).href, new TestFile(path, ava))
  }
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      const { parentURL = '' } = context
      if (specifier !== 'ava' || !testFiles.has(parentURL)) return next(specifier, context)
      return { url: `${AVA_OF_A_FILE}?${parentURL}`, shortCircuit: true }
    },
  })
  for (const url of testFiles.keys()) await import(url)
  hooks.deregister()
  for (const file of testFiles.values()) file.declare()
}
