import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import test from 'ava'

/** The package as `npm pack` makes it, installed where nothing of this folder is. */

const ROOT = join(import.meta.dirname, '../..')
const TSC = join(ROOT, 'node_modules/.bin/tsc')
const run = promisify(execFile)

const folder = await mkdtemp(join(tmpdir(), 'fridge-package-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

/** What packages npm has at hand it does not ask for again: after `npm ci`, nearly all. */
const INSTALL = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

/** Install packages in a folder of their own. */
async function install(name: string, ...packages: string[]): Promise<string> {
  const cwd = join(folder, name)
  await mkdir(cwd, { recursive: true })
  await writeFile(join(cwd, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  await run('npm', [...INSTALL, ...packages], { cwd })
  return cwd
}

let app = ''

test.before(async t => {
  t.timeout(300_000)
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: ROOT,
    maxBuffer: 64 * 1_024 * 1_024,
  })
  const [, file = ''] = /"filename": ?"([^"]+)"/.exec(stdout) ?? []
  app = await install('app', join(folder, file))
})

const versionOf = async (...path: string[]): Promise<string> => {
  const text = await readFile(join(app, 'node_modules', ...path, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** Run the installed program: what it is, and the whole walk from certificates to a removal. */
async function walk(node: string): Promise<{ version: string; demo: string }> {
  const main = join(app, 'node_modules/fridge/dist/cli/main.js')
  const version = await run(node, [main, '--version'], { cwd: app })
  const demo = await run(node, [main, 'demo', '--once'], { cwd: app })
  return { version: version.stdout.trim(), demo: demo.stdout }
}

test.serial('the installed package walks through the demo', async t => {
  const { version, demo } = await walk(process.execPath)
  t.is(version, await versionOf('fridge'))
  t.regex(demo, /has been removed from the whitelist/)
})

test.serial('it does so on Node.js 26 as well', async t => {
  const runtime = await install('node-26', 'node@26')
  const node = join(runtime, 'node_modules/node/bin/node')
  t.regex((await run(node, ['--version'])).stdout, /^v26\./)
  const { demo } = await walk(node)
  t.regex(demo, /has been removed from the whitelist/)
})

test.serial('who installs it gets the packages that it was tested with, and no others', async t => {
  // The newest `traverse` brings ninety packages that nothing here needs.
  t.is(await versionOf('fridge/node_modules/traverse'), '0.6.7')
  const { stdout } = await run('npm', ['ls', '--all', '--parseable'], { cwd: app })
  t.false(stdout.includes('/node_modules/es-abstract'))
  t.false(stdout.includes('/node_modules/weak'))
})

test.serial('its types are found by programs that are compiled as modules', async t => {
  const program = join(app, 'program.ts')
  await writeFile(
    program,
    `import { connect, type ErrorCode } from 'fridge/client'
import { startNode } from 'fridge'
export const code: ErrorCode = 'ERR_REVOKED'
export const all: unknown[] = [connect, startNode]
// @ts-expect-error A wrong type is noticed, so the types were found.
export const wrong: number = connect
`,
  )
  const flags = ['--noEmit', '--strict', '--target', 'es2024', '--lib', 'esnext', '--types', 'node']
  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ] as const) {
    const args = [...flags, '--module', module, '--moduleResolution', resolution, program]
    const { stdout } = await run(TSC, args, { cwd: app }).catch(
      (error: { stdout: string }) => error,
    )
    t.is(stdout, '', resolution)
  }
})
