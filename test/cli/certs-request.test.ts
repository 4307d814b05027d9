import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { loadCredentials } from '../../node/identity/credentials.ts'
import { parseName, ROLES } from '../../node/identity/names.ts'
import { makeTestCerts, makeTestFolder } from '../support/certs.ts'
import { runCommand, type CommandResult, type IoOptions } from '../support/cli.ts'
import { startCluster } from '../support/cluster.ts'
import { fails } from './failure.ts'

/** A certificate for a key that never leaves the machine on which it was made. */

interface Machine {
  readonly cwd: string
  readonly fridge: (args: readonly string[], options?: IoOptions) => Promise<CommandResult>
}

async function machine(t: ExecutionContext, certs?: string): Promise<Machine> {
  const cwd = await makeTestFolder(t)
  const env = certs === undefined ? {} : { FRIDGE_CERTS: certs }
  return {
    cwd,
    fridge: async (args, options = {}) => {
      const result = await runCommand(args, { cwd, env, ...options })
      if (result.status !== 0) throw new Error(result.err)
      return result
    },
  }
}

test('a key that stays on its machine gets a certificate by two files that hold no secret', async t => {
  const certs = await makeTestCerts(t)
  const authority = await machine(t, certs.dir)
  const device = await machine(t)
  for (const role of ROLES) {
    const name = `new-${role}`
    const made = await device.fridge(['certs', 'request', role, name])
    t.regex(made.out, /^Next, where the authority is: fridge certs sign request\.pem$/m)
    const folder = join(device.cwd, 'certs', `${role}s`, name)
    await copyFile(join(folder, 'request.pem'), join(authority.cwd, 'request.pem'))
    const signed = await authority.fridge(['certs', 'sign', 'request.pem', '--force'])
    t.regex(signed.out, new RegExp(`^Next, .*: fridge certs accept ${name}\\.signed\\.pem$`, 'm'))
    const file = join(authority.cwd, `${name}.signed.pem`)
    t.notRegex(await readFile(file, 'utf8'), /PRIVATE/)
    await device.fridge(['certs', 'accept', file])
    const from = { dir: join(device.cwd, 'certs'), role, name: parseName(name) }
    t.is((await loadCredentials(from)).identity.trustDomain, 'test.fridge')
    t.deepEqual((await readdir(folder)).sort(), ['certificate.pem', 'private-key.pem'])
  }
})

test('a node lets in whose certificate came by a request', async t => {
  await using cluster = await startCluster(t)
  const device = await machine(t)
  await device.fridge(['certs', 'request', 'client', 'c9', '--key-type', 'ed25519'])
  const request = join(device.cwd, 'certs', 'clients', 'c9', 'request.pem')
  const out = join(device.cwd, 'c9.pem')
  const at = ['--certs', cluster.certs.dir]
  await device.fridge(['certs', 'sign', request, '--force', '--out', out, ...at])
  await device.fridge(['certs', 'accept', out])
  await cluster.grant(1, 'c9')
  const call = ['client', 'call', 'defrost', '--node', cluster.address(1)]
  t.is((await device.fridge(call)).status, 0)
})

test('nothing is signed that nobody has agreed to', async t => {
  const { dir } = await makeTestCerts(t)
  const device = await machine(t)
  await device.fridge(['certs', 'request', 'operator', 'mallory'])
  const file = join(device.cwd, 'certs', 'operators', 'mallory', 'request.pem')
  const sign = ['certs', 'sign', file, '--certs', dir]
  await fails(t, sign, { status: 2, says: /operator mallory, ECDSA P-256, key/, mends: /--force/ })
  const questions: string[] = []
  const confirm = async (question: string): Promise<boolean> => questions.push(question) === 0
  const { status, out } = await runCommand(sign, { confirm })
  t.deepEqual([status, out], [2, ''])
  t.regex(questions.join(), /^Sign operator mallory, ECDSA P-256, key [0-9a-f]{64}\?$/)
})

test('a request that was changed, and what is none, are not signed', async t => {
  const { dir } = await makeTestCerts(t)
  const { cwd, fridge } = await machine(t)
  await fridge(['certs', 'request', 'client', 'c9'])
  const file = join(cwd, 'certs', 'clients', 'c9', 'request.pem')
  const pem = await readFile(file, 'utf8')
  const der = Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64')
  // The name stands twice: in the subject and in the URI.
  for (let at = der.indexOf('c9'); at !== -1; at = der.indexOf('c9')) der.write('c8', at)
  const label = 'CERTIFICATE REQUEST'
  const changed = `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`
  for (const [text, says] of [
    [changed, /is not signed with its own key/],
    ['no request', /is no request for a certificate/],
    [`${pem}${' '.repeat(20_000)}`, /is too large/],
  ] as const) {
    await writeFile(join(cwd, 'other.pem'), text)
    const sign = ['certs', 'sign', join(cwd, 'other.pem'), '--certs', dir, '--force']
    await fails(t, sign, { status: 1, says, mends: /fridge certs request/ })
  }
})

test('what is signed for another key, or by an authority that is not trusted, is not accepted', async t => {
  const [one, other] = [await makeTestCerts(t), await makeTestCerts(t)]
  const { cwd, fridge } = await machine(t)
  const file = join(cwd, 'certs', 'clients', 'c9', 'request.pem')
  const signed = async (certs: string, out: string): Promise<string> => {
    await fridge(['certs', 'sign', file, '--force', '--certs', certs, '--out', out])
    return join(cwd, out)
  }
  await fridge(['certs', 'request', 'client', 'c9'])
  const first = await signed(one.dir, 'first.pem')
  const foreign = await signed(other.dir, 'foreign.pem')
  await fridge(['certs', 'accept', first])
  const accept = async (path: string, says: RegExp, mends: RegExp): Promise<void> =>
    fails(t, ['certs', 'accept', path], { status: 1, says, mends }, { cwd })
  await accept(foreign, /trusts another authority/, /--force/)
  await fridge(['certs', 'request', 'client', 'c9', '--force'])
  await accept(first, /is for another key than/, /fridge certs request client c9 --force/)
})
