import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startNode } from '../../node/start.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { makeTestFolder } from '../support/certs.ts'
import { runCommand, type CommandResult, type IoOptions } from '../support/cli.ts'
import { testConfig } from '../support/cluster.ts'
import { fails } from './failure.ts'

/** Keys that are of no use to whoever copies them, without the passphrase. */

const PASSPHRASE = 'correct horse battery staple'

interface Folder {
  readonly cwd: string
  /** What names the file with the passphrase. */
  readonly env: Readonly<Record<string, string>>
  readonly fridge: (args: readonly string[], options?: IoOptions) => Promise<CommandResult>
}

/** A folder whose authority was made with `--encrypt`. */
async function lockedFolder(t: ExecutionContext): Promise<Folder> {
  const cwd = await makeTestFolder(t)
  await writeFile(join(cwd, 'passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 })
  const env = { FRIDGE_PASSPHRASE_FILE: 'passphrase' }
  const fridge: Folder['fridge'] = async (args, options = {}) =>
    runCommand(args, { cwd, env, ...options })
  const made = await fridge(['certs', 'init', '--encrypt'])
  t.is(made.status, 0, made.err)
  return { cwd, env, fridge }
}

async function keyOf(cwd: string, folder: string): Promise<string> {
  return readFile(join(cwd, 'certs', folder, 'private-key.pem'), 'utf8')
}

test('keys of the authority and of operators are locked, those of nodes and clients are not', async t => {
  const { cwd, fridge } = await lockedFolder(t)
  for (const [role, name] of [
    ['operator', 'maria'],
    ['node', 'node-1'],
    ['client', 'c1'],
  ] as const) {
    t.is((await fridge(['certs', 'issue', role, name])).status, 0)
  }
  t.is((await fridge(['certs', 'renew', 'operator', 'admin', '--new-key'])).status, 0)
  for (const folder of ['ca', 'operators/admin', 'operators/maria']) {
    t.regex(await keyOf(cwd, folder), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/, folder)
  }
  for (const folder of ['nodes/node-1', 'clients/c1']) {
    t.regex(await keyOf(cwd, folder), /^-----BEGIN PRIVATE KEY-----/, folder)
  }
  t.is((await fridge(['certs', 'rotate-ca', 'begin'])).status, 0)
  t.regex(await keyOf(cwd, 'ca'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
  t.is((await fridge(['certs', 'renew', '--all'])).status, 0)
  t.is((await fridge(['certs', 'rotate-ca', 'finish'])).status, 0)
})

test('an operator whose key is locked works with the passphrase of a file, or as it types it', async t => {
  const { cwd, fridge } = await lockedFolder(t)
  await fridge(['certs', 'issue', 'node', 'node-1'])
  const certs = join(cwd, 'certs')
  await using node = await startNode(testConfig('node-1', { certs, data: join(cwd, 'data') }))
  const at = ['--node', formatAddress(node.address)]
  t.is((await fridge(['whitelist', 'add', 'c1', ...at])).status, 0)
  const questions: string[] = []
  const askSecret = async (question: string): Promise<string> => {
    questions.push(question)
    return PASSPHRASE
  }
  const typed = await fridge(['whitelist', 'add', 'c2', 'c3', ...at], { env: {}, askSecret })
  t.is(typed.status, 0, typed.err)
  t.deepEqual(questions, [
    `Passphrase of ${join('certs', 'operators', 'admin', 'private-key.pem')}`,
  ])
  t.is((await fridge(['doctor', ...at])).status, 0)
})

test('a locked key says what opens it', async t => {
  const { cwd } = await lockedFolder(t)
  const issue = ['certs', 'issue', 'client', 'c1']
  const nobody = {
    status: 1,
    says: /is locked, and nobody can be asked/,
    mends: /FRIDGE_PASSPHRASE_FILE/,
  } as const
  await fails(t, issue, nobody, { cwd })
  await fails(t, ['whitelist', 'list', '--node', '127.0.0.1:1'], nobody, { cwd })
  const askSecret = async (): Promise<string> => 'wrong'
  const wrong = {
    status: 1,
    says: /the passphrase does not open/,
    mends: /passphrase|FRIDGE_PASS/,
  } as const
  await fails(t, issue, wrong, { cwd, askSecret })
  await fails(t, ['whitelist', 'list', '--node', '127.0.0.1:1'], wrong, { cwd, askSecret })
  const none = { status: 1, says: /the passphrase cannot be read/, mends: /ls -l none/ } as const
  await fails(t, issue, none, { cwd, env: { FRIDGE_PASSPHRASE_FILE: 'none' } })
})

test('a new passphrase is long, and typed twice alike', async t => {
  const cwd = await makeTestFolder(t)
  const answers = ['short', 'short', PASSPHRASE, `${PASSPHRASE}!`, PASSPHRASE, PASSPHRASE]
  const askSecret = async (): Promise<string> => answers.shift() ?? ''
  const init = ['certs', 'init', '--encrypt']
  await fails(
    t,
    init,
    { status: 2, says: /12 characters or more/, mends: /longer/ },
    { cwd, askSecret },
  )
  await fails(t, init, { status: 2, says: /were not the same/, mends: /again/ }, { cwd, askSecret })
  t.is((await runCommand(init, { cwd, askSecret })).status, 0)
  const nobody = {
    status: 1,
    says: /nobody can be asked/,
    mends: /FRIDGE_PASSPHRASE_FILE/,
  } as const
  await fails(t, [...init, '--force'], nobody, { cwd })
})

test('whoever completes a word is asked for no passphrase', async t => {
  const { cwd } = await lockedFolder(t)
  const asked: string[] = []
  const askSecret = async (question: string): Promise<string> => {
    asked.push(question)
    return PASSPHRASE
  }
  const words = ['complete', 'fish', '--', 'whitelist', 'remove', 'ti']
  const { status, out, err } = await runCommand(words, { cwd, askSecret })
  t.deepEqual([status, out, err, asked], [0, '', '', []])
})

test('an operator locks the key that it makes for itself', async t => {
  const authority = await lockedFolder(t)
  const cwd = await makeTestFolder(t)
  const device = { cwd, askSecret: async () => PASSPHRASE }
  const asked = await runCommand(['certs', 'request', 'operator', 'maria', '--encrypt'], device)
  t.is(asked.status, 0, asked.err)
  t.regex(await keyOf(cwd, 'operators/maria'), /^-----BEGIN ENCRYPTED/)
  const request = join(cwd, 'certs', 'operators', 'maria', 'request.pem')
  const out = join(cwd, 'signed.pem')
  t.is((await authority.fridge(['certs', 'sign', request, '--force', '--out', out])).status, 0)
  t.is((await runCommand(['certs', 'accept', out], device)).status, 0)
  const refused = { status: 2, says: /cannot be locked/, mends: /leave --encrypt out/ } as const
  await fails(t, ['certs', 'request', 'client', 'c1', '--encrypt'], refused, device)
})
