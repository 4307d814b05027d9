import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { createAuthority, openAuthority, type KeyPair } from '../../node/authority/authority.ts'
import { issueCertificate, type IssueOptions } from '../../node/authority/issue.ts'
import { readAuthority, writePair } from '../../node/authority/key-store.ts'
import { DAY_MS } from '../../node/authority/validity.ts'
import { authorityFiles, credentialFiles } from '../../node/identity/credential-files.ts'
import { loadCredentials, type Credentials } from '../../node/identity/credentials.ts'
import { parseName, type Name, type Role } from '../../node/identity/names.ts'

/** A certificate folder of one test. */
export interface TestCerts {
  /** What `--certs` would name. */
  readonly dir: string
  /** The authority's certificate, PEM. */
  readonly ca: string
  /** Issue one more, replacing one of the same name. */
  issue(
    role: Role,
    name: string,
    options?: Partial<Pick<IssueOptions, 'hosts' | 'days' | 'now' | 'keyType' | 'trustDomain'>>,
  ): Promise<void>
  load(role: Role, name: string): Promise<Credentials>
}

export interface TestCertsOptions {
  readonly nodes?: readonly string[]
  readonly clients?: readonly string[]
  readonly operators?: readonly string[]
  /** Days the authority holds. Default 3650. */
  readonly days?: number
  /** When the authority is made, milliseconds since 1970. Default: now. */
  readonly now?: number
}

/** An empty folder that the test's end removes. */
export async function makeTestFolder(t: Pick<ExecutionContext, 'teardown'>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'fridge-test-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** An authority with the certificates that it has issued, not yet in any folder. */
export interface IssuedCerts {
  readonly authority: KeyPair
  readonly people: readonly { readonly role: Role; readonly name: Name; readonly pair: KeyPair }[]
  /** When, milliseconds since 1970. */
  readonly now: number
}

/** A fresh authority, and certificates for everyone asked for. */
export async function issueTestCerts({
  nodes = [],
  clients = [],
  operators = [],
  days,
  now = Date.now(),
}: TestCertsOptions = {}): Promise<IssuedCerts> {
  const pair = await createAuthority({
    trustDomain: 'test.fridge',
    now,
    random: randomBytes,
    ...(days === undefined ? {} : { days }),
  })
  const authority = openAuthority(pair, 'the authority of a test')
  const issue = async (role: Role, nameText: string) => {
    const name = parseName(nameText)
    const options = { authority, role, name, now, random: randomBytes }
    return { role, name, pair: await issueCertificate(options) }
  }
  const people = await Promise.all([
    ...nodes.map(async name => issue('node', name)),
    ...clients.map(async name => issue('client', name)),
    ...operators.map(async name => issue('operator', name)),
  ])
  return { authority: pair, people, now }
}

/** A fresh authority in a temporary folder, with everyone asked for; the test's end removes it. */
export async function makeTestCerts(
  t: Pick<ExecutionContext, 'teardown'>,
  options: TestCertsOptions = {},
): Promise<TestCerts> {
  return writeTestCerts(t, await issueTestCerts(options))
}

/** Write certificates to a temporary folder; the test's end removes it. */
export async function writeTestCerts(
  t: Pick<ExecutionContext, 'teardown'>,
  { authority: pair, people, now }: IssuedCerts,
): Promise<TestCerts> {
  const dir = await makeTestFolder(t)
  await writePair(authorityFiles(dir), pair)
  for (const { role, name, pair } of people) await writePair(credentialFiles(dir, role, name), pair)
  const authority = await readAuthority(dir)
  const issue: TestCerts['issue'] = async (role, nameText, options = {}) => {
    const name = parseName(nameText)
    const issued = await issueCertificate({
      authority,
      role,
      name,
      now,
      random: randomBytes,
      ...options,
    })
    await writePair(credentialFiles(dir, role, name), issued, { force: true })
  }
  return {
    dir,
    ca: pair.certificate,
    issue,
    load: (role, name) => loadCredentials({ dir, role, name: parseName(name) }),
  }
}

/** A folder with one certificate of each kind that was made long ago for a day. */
export async function makeExpiredCerts(t: ExecutionContext): Promise<TestCerts> {
  const old = await makeTestCerts(t, { now: Date.now() - 10 * DAY_MS })
  for (const [role, name] of [
    ['node', 'node-1'],
    ['client', 'c1'],
    ['operator', 'admin'],
  ] as const) {
    await old.issue(role, name, { now: Date.now() - 5 * DAY_MS, days: 1 })
  }
  return old
}
