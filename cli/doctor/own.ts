import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { holdersIn } from '../../node/authority/rotate.ts'
import { issuingFiles } from '../../node/enrolment/desk.ts'
import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import type { Name } from '../../node/identity/names.ts'
import { authorityFiles, credentialFiles } from '../../node/identity/credential-files.ts'
import { formatAddress, type Address } from '../../node/lib/address.ts'
import { receiverProblems } from '../../node/alarms/receivers.ts'
import { lifetimeWarnings, lifetimes, renewFrom } from '../../node/identity/certificate-lifetime.ts'
import type { NodeConfig } from '../../node/config/config.ts'
import { loadCredentials, type Credentials } from '../../node/identity/credentials.ts'
import { MAX_REMOVAL_BYTES, REMOVAL_FILE } from '../../node/gossip/own-removal.ts'
import { isForkProof, openForkProof } from '../../node/gossip/fork-proof.ts'
import { openRemovalProof } from '../../node/gossip/removal-proof.ts'
import { Signers } from '../../node/identity/signers.ts'
import { errorCode } from '../../node/lib/errors.ts'
import { ThreadedVerifier } from '../../node/identity/threaded-verifier.ts'
import { listen } from '../../node/lib/listen.ts'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import { openAtRest } from '../../node/storage/at-rest.ts'
import { WholeFile } from '../../node/storage/whole-file.ts'
import { authoritiesIn } from '../commands/node-verify.ts'
import { shownPath } from '../commands/certs-options.ts'
import {
  browserProblems,
  hostsOf,
  loadPageCredentials,
  ofNode,
} from '../../node/web/page-certificate.ts'
import { verifyDatabase } from '../../node/storage/verify.ts'
import { formatRemaining } from '../duration.ts'
import type { CommandIo } from '../io.ts'
import { passphraseOf } from '../passphrase.ts'
import { describeRemoval, FORKED, RENAME } from '../removal.ts'
import { count } from '../table.ts'
import type { Checkup } from './checkup.ts'

/**
 * Everyone in a certificate folder: keys closed to others, that fit their certificates, which
 * lead to the authority and are not due.
 * @returns the credentials that can be used
 */
export async function checkCertificates(
  dir: string,
  checkup: Checkup,
  io: Pick<CommandIo, 'clock' | 'cwd' | 'env' | 'askSecret'>,
): Promise<Credentials[]> {
  const { clock, cwd } = io
  const ask = passphraseOf(io)
  const CHECK = 'certificates'
  const now = clock.now()
  const usable: Credentials[] = []
  const warned = new Set<string>()
  let isSound = true
  const bad = (text: string, fix?: string): void => {
    // An authority that is due is due for everyone below it.
    if (!warned.has(text)) checkup.bad(CHECK, text, fix)
    warned.add(text)
    isSound = false
  }
  const holders = await checkup.attempt(CHECK, async () => holdersIn(dir))
  if (holders === undefined) return []
  for (const { role, name } of holders) {
    if (role === 'node' && (await checkIssuingKey(dir, name, now, bad)) && isElsewhere(dir, name)) {
      continue
    }
    const credentials = await checkup.attempt(CHECK, async () =>
      loadCredentials({ dir, role, name }, { now, ask }),
    )
    isSound &&= credentials !== undefined
    if (credentials === undefined) continue
    usable.push(credentials)
    for (const { text, fix } of lifetimeWarnings(credentials, now)) bad(text, fix)
    for (const warning of credentials.warnings) bad(warning)
  }
  const shown = shownPath(dir, cwd)
  if (isSound && usable.length === 0) {
    checkup.bad(CHECK, `${shown} holds nobody's certificate`, 'fridge certs init')
  } else if (isSound) {
    const end = Math.min(...usable.flatMap(lifetimes).map(({ endsAt }) => endsAt))
    const first = formatRemaining(end - now)
    checkup.good(CHECK, `${count(usable.length, 'holder')} in ${shown}, the first ends in ${first}`)
  }
  return usable
}

/** Whether the key of a node was made on its own machine: here may lie its issuing key. */
function isElsewhere(dir: string, node: Name): boolean {
  const { keyFile, certificateFile } = credentialFiles(dir, 'node', node)
  return !existsSync(keyFile) && !existsSync(certificateFile)
}

/**
 * The issuing key of a node, where it has one: what it has signed ends with it.
 * @returns whether it has one
 */
async function checkIssuingKey(
  dir: string,
  node: Name,
  now: number,
  bad: (text: string, fix?: string) => void,
): Promise<boolean> {
  const { certificateFile } = issuingFiles(dir, node)
  if (!existsSync(certificateFile)) return false
  const [{ validFromDate, validToDate }] = parseCertificates(
    await readFile(certificateFile, 'utf8'),
    certificateFile,
  )
  const [notBefore, notAfter] = [validFromDate.getTime(), validToDate.getTime()]
  if (now < renewFrom({ notBefore, notAfter })) return true
  const ends = now > notAfter ? 'has expired' : 'expires'
  bad(
    `the issuing key of ${node} ${ends} on ${validToDate.toISOString()}`,
    `fridge certs issuing-key ${node} --force`,
  )
  return true
}

/** The database of a node, if it has one yet. @returns whether a node is running on it */
export async function checkDatabase(
  { data, certs }: NodeConfig,
  checkup: Checkup,
  { clock, cwd, progress }: Pick<CommandIo, 'clock' | 'cwd' | 'progress'>,
): Promise<boolean> {
  const CHECK = 'database'
  const file = join(data, DATABASE_FILE)
  const shown = shownPath(file, cwd)
  try {
    openAtRest(file)[Symbol.dispose]()
  } catch (error) {
    if (errorCode(error) === 'ERR_USAGE') {
      checkup.good(CHECK, `${shown} is not there yet: the node makes it at its first start`)
      return false
    }
    if (errorCode(error) === 'ERR_REFUSED') {
      checkup.good(CHECK, `a node is running on ${shown}`)
      return true
    }
  }
  progress(`checking ${shown}…`)
  await checkup.attempt(CHECK, async () => {
    await using verifier = new ThreadedVerifier({ clock })
    const authorities = await authoritiesIn(certs)
    const { changes, findings } = await verifyDatabase(file, { ...authorities, verifier })
    const [first] = findings
    if (first === undefined) checkup.good(CHECK, `${shown} is sound: ${count(changes, 'change')}`)
    else {
      const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : ''
      checkup.bad(CHECK, `${shown}: ${first.place}: ${first.problem}${more}`, first.fix)
    }
  })
  progress('')
  return false
}

/** Whether those who are to be told of alarms can be, as far as this machine knows. */
export async function checkReceivers({ alarms }: NodeConfig, checkup: Checkup): Promise<void> {
  const { webhook, program, mqtt } = alarms
  const receivers = [webhook && 'webhook', program && 'program', mqtt && 'mqtt'].filter(Boolean)
  if (receivers.length === 0) return
  const problems = await receiverProblems(alarms)
  for (const { text, fix } of problems) checkup.bad('alarms', text, fix)
  if (problems.length > 0) return
  checkup.good('alarms', `to be told: ${receivers.join(', ')}`)
}

/** Whether the node has kept the proof that it is out, from its list or from a peer. */
export async function checkRemoval(
  { name, data, certs }: NodeConfig,
  checkup: Checkup,
): Promise<void> {
  await checkup.attempt('cluster', async () => {
    const kept = new WholeFile(join(data, REMOVAL_FILE)).read(MAX_REMOVAL_BYTES)
    if (kept === undefined) return
    const { authorities, trustDomain } = await authoritiesIn(certs)
    const store = { certificates: () => [], keepCertificate: () => {} }
    const signers = new Signers({ store, authorities: () => authorities, trustDomain })
    const proof: unknown = JSON.parse(kept)
    if (isForkProof(proof)) {
      const problem = await openForkProof(proof, name, signers)
      if (problem === undefined) checkup.bad('cluster', `${name} ${FORKED}`, RENAME)
      return
    }
    const removal = await openRemovalProof(proof, name, signers)
    if (typeof removal !== 'string')
      checkup.bad('cluster', `${name} ${describeRemoval(removal)}`, RENAME)
  })
}

/** Whether a node that does not run could have its port, and one for browsers that was asked for. */
export async function checkPort({ listen: own, web }: NodeConfig, checkup: Checkup): Promise<void> {
  await checkFree('port', own, '--listen', checkup)
  const { listen: pages } = web
  // The default gives way where it is taken.
  if (pages !== undefined && pages !== 'off') await checkFree('page', pages, '--web', checkup)
}

async function checkFree(
  check: string,
  address: Address,
  flag: string,
  checkup: Checkup,
): Promise<void> {
  await checkup.attempt(check, async () => {
    const server = createServer()
    await listen(server, address, flag)
    await new Promise(resolve => server.close(resolve))
    checkup.good(check, `${formatAddress(address)} is free`)
  })
}

/** Whether browsers take what the page of a node is shown with. */
export async function checkPage(
  { web, certs, name }: NodeConfig,
  checkup: Checkup,
  { clock, cwd }: Pick<CommandIo, 'clock' | 'cwd'>,
): Promise<void> {
  if (web.listen === 'off') return
  const CHECK = 'page'
  await checkup.attempt(CHECK, async () => {
    const { certificate: certificateFile, key: keyFile } = web
    const now = clock.now()
    const credentials =
      certificateFile === undefined || keyFile === undefined
        ? ofNode(await loadCredentials({ dir: certs, role: 'node', name }, { now }))
        : await loadPageCredentials({ certificateFile, keyFile }, now)
    const problems = browserProblems(credentials)
    for (const { text, fix } of problems) checkup.bad(CHECK, text, fix)
    if (problems.length > 0) return
    const hosts = hostsOf(credentials).join(', ')
    const root = shownPath(authorityFiles(certs).certificateFile, cwd)
    const trust = certificateFile === undefined ? `; browsers must trust ${root}` : ''
    checkup.good(CHECK, `its certificate is for ${hosts}${trust}`)
  })
}
