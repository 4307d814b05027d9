import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

import { ROOT, run, say, succeed } from './program.ts'

/** A Debian with nothing of fridge in it. */
export interface CleanMachine {
  /** Run a line of shell as root. Resolves with what it printed. @throws when it fails */
  readonly do: (line: string) => Promise<string>
}

/** Build the package. @returns its file, which the end of the test removes */
export async function buildDebianPackage(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fridge-deb-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  say('cluster/debian-package')
  const { stdout } = await succeed([join(ROOT, 'cluster/debian-package'), folder], 240_000)
  return stdout.trim()
}

/** Start a container of the base image, without its Node.js, that has a package at /fridge.deb. */
export async function cleanMachine(t: ExecutionContext, file: string): Promise<CleanMachine> {
  const dockerfile = await readFile(join(ROOT, 'cluster/Dockerfile'), 'utf8')
  const [, image = ''] = /^FROM (\S+)/m.exec(dockerfile) ?? []
  const name = `fridge-test-${randomBytes(4).toString('hex')}`
  await succeed(['docker', 'run', '--detach', '--rm', '--name', name, image, 'sleep', 'infinity'])
  t.teardown(async () => {
    await run(['docker', 'rm', '--force', name])
  })
  await succeed(['docker', 'cp', file, `${name}:/fridge.deb`])
  await succeed(['docker', 'exec', name, 'rm', '--force', '/usr/local/bin/node'])
  return {
    do: async line => {
      say(line)
      return (await succeed(['docker', 'exec', name, 'sh', '-c', line])).stdout
    },
  }
}
