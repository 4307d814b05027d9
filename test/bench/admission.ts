import { createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import { parseAddress } from '../../node/address.ts'
import { parseCertificates } from '../../node/certificate-chain.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { systemClock } from '../../node/clock.ts'
import type { Identity } from '../../node/identity.ts'
import { sourceOf, subjectOf, type Subject } from '../../node/names.ts'
import { Sessions } from '../../node/sessions.ts'
import { DATABASE_FILE } from '../../node/start.ts'
import { Replica } from '../../node/whitelist/replica.ts'
import { chainOf, Signers } from '../../node/whitelist/signers.ts'
import { openSqliteStore } from '../../node/whitelist/sqlite-store.ts'
import { fillList, nameAt } from './filled-list.ts'
import { median, type Bench } from './result.ts'
import { startServer } from './server-process.ts'
import { CLIENT, makeSite, type Site } from './site.ts'

const NODE = 'node-1'
const NAMES = 100_000

/** What it costs to decide on a connection, alone and with all that a connection needs. */
export const measureAdmission: Bench = async ({ quick, progress }) => {
  await using site = await makeSite([NODE])
  const data = await site.dataFolder(NODE)
  progress(`filling a list with ${NAMES} names`)
  fillList({
    data,
    names: NAMES,
    operator: await site.certs.load('operator', 'admin'),
    node: await site.certs.load('node', NODE),
  })
  progress('deciding')
  const checks = quick ? 100_000 : 2_000_000
  const decisions = await decide(site, data, checks)
  progress('connecting')
  const connects = quick ? 50 : 500
  const connected = await connect(site, connects)
  const rows = [
    ['what', 'count', 'each'],
    ...decisions.map(({ what, ns }) => [
      what,
      checks.toLocaleString('en'),
      `${(ns / 1_000).toFixed(2)} µs`,
    ]),
    [
      'connection to hello and methods, at the client',
      String(connects),
      `${connected.ms.toFixed(2)} ms`,
    ],
    ['the same, processor time of the node', String(connects), `${connected.cpuMs.toFixed(2)} ms`],
  ]
  return [{ title: `Admission with ${NAMES.toLocaleString('en')} names on the list`, rows }]
}

/** The decision alone: the state of a random name, and the rule over it. */
async function decide(
  { certs }: Site,
  data: string,
  checks: number,
): Promise<{ what: string; ns: number }[]> {
  const node = await certs.load('node', NODE)
  const { identity } = await certs.load('client', CLIENT)
  using store = openSqliteStore(join(data, DATABASE_FILE))
  const signers = new Signers({
    store,
    trustDomain: node.identity.trustDomain,
    authorities: () => parseCertificates(node.ca, node.files.caFile),
  })
  const signer = signers.learn(
    chainOf(parseCertificates(node.certificate, node.files.certificateFile)),
  )
  if (typeof signer === 'string') throw new Error(signer)
  const replica = new Replica({
    source: sourceOf(node.identity.name, '00000000000000fe'),
    store,
    signers,
    self: { signer, key: createPrivateKey(node.key) },
    clock: systemClock,
  })
  const sessions = new Sessions(systemClock, subject => replica.whitelist.state(subject))
  const listed = Array.from({ length: NAMES }, (_, index) => subjectOf('client', nameAt(index)))
  const strangers = listed.map(subject => `${subject}-x` as Subject)
  const measure = (what: string, subjects: readonly Subject[], expected: boolean) => {
    // Certificates are parsed before: here is only what the list adds.
    const identities = subjects.map((subject): Identity => ({ ...identity, subject }))
    const startedAt = process.hrtime.bigint()
    let at = 0
    for (let check = 0; check < checks; check += 1) {
      // A stride that is prime to the size: no two checks in a row are neighbours.
      at = (at + 61_813) % NAMES
      const candidate = identities[at]
      if (candidate === undefined || sessions.admit(candidate).admitted !== expected) {
        throw new Error('the decision is wrong')
      }
    }
    return { what, ns: Number(process.hrtime.bigint() - startedAt) / checks }
  }
  return [
    measure('decision on a name that is listed', listed, true),
    measure('decision on a name that is not', strangers, false),
  ]
}

/** One connection after the other, each with a full handshake. */
async function connect(site: Site, count: number): Promise<{ ms: number; cpuMs: number }> {
  const config = await site.writeConfig(NODE)
  await using server = await startServer('our-server.ts', [config])
  const credentials = await site.certs.load('client', CLIENT)
  const address = parseAddress(`127.0.0.1:${server.port}`)
  const open = async (): Promise<number> => {
    const startedAt = performance.now()
    await using _connection = await openNodeConnection({ address, credentials, clock: systemClock })
    return performance.now() - startedAt
  }
  for (let warm = 0; warm < 20; warm += 1) await open()
  const cpuBefore = await server.cpuMicros()
  const times: number[] = []
  for (let done = 0; done < count; done += 1) times.push(await open())
  const cpuMs = ((await server.cpuMicros()) - cpuBefore) / 1_000 / count
  return { ms: median(times), cpuMs }
}
