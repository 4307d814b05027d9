import { createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import { parseAddress } from '../../node/lib/address.ts'
import { parseCertificates } from '../../node/identity/certificate-chain.ts'
import { openNodeConnection } from '../../node/client/node-connection.ts'
import { systemClock } from '../../node/lib/clock.ts'
import type { Identity } from '../../node/identity/identity.ts'
import { sourceOf, subjectOf, type Subject } from '../../node/identity/names.ts'
import { Sessions } from '../../node/sessions/sessions.ts'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import { Replica } from '../../node/gossip/replica.ts'
import { chainOf, Signers } from '../../node/identity/signers.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'
import { fillList, nameAt } from './filled-list.ts'
import { median, type Bench } from './result.ts'
import { startServer } from './server-process.ts'
import { CLIENT, makeSite, type Site } from './site.ts'

const NODE = 'node-1'
const SIZES = [1_000, 10_000, 100_000]

/** What it costs to decide on a connection, alone and with all that a connection needs. */
export const measureAdmission: Bench = async ({ quick, progress }) => {
  await using site = await makeSite([NODE])
  const operator = await site.certs.load('operator', 'admin')
  const node = await site.certs.load('node', NODE)
  const checks = quick ? 100_000 : 2_000_000
  const decisions: string[][] = []
  let data = ''
  for (const names of SIZES) {
    progress(`deciding on ${names} names`)
    data = await site.dataFolder(`list-of-${names}`)
    fillList({ data, names, operator, node })
    decisions.push([
      names.toLocaleString('en'),
      ...(await decide(site, { data, names, checks })).map(ns => `${(ns / 1_000).toFixed(2)} µs`),
    ])
  }
  progress('connecting')
  const connects = quick ? 50 : 500
  const connected = await connect(site, data, connects)
  return [
    {
      title: `The decision on a connection (${checks.toLocaleString('en')} each)`,
      rows: [['names on the list', 'one that is listed', 'one that is not'], ...decisions],
    },
    {
      title: `Connections with ${SIZES.at(-1)?.toLocaleString('en')} names on the list`,
      rows: [
        ['what', 'count', 'each'],
        ['to hello and methods, at the client', String(connects), `${connected.ms.toFixed(2)} ms`],
        ['processor time of the node', String(connects), `${connected.cpuMs.toFixed(2)} ms`],
      ],
    },
  ]
}

interface Deciding {
  readonly data: string
  readonly names: number
  readonly checks: number
}

/** The decision alone: the state of a random name, and the rule over it. @returns nanoseconds */
async function decide({ certs }: Site, { data, names, checks }: Deciding): Promise<number[]> {
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
  const listed = Array.from({ length: names }, (_, index) => subjectOf('client', nameAt(index)))
  const strangers = listed.map(subject => `${subject}-x` as Subject)
  const measure = (subjects: readonly Subject[], expected: boolean): number => {
    // Certificates are parsed before: here is only what the list adds.
    const identities = subjects.map((subject): Identity => ({ ...identity, subject }))
    const startedAt = process.hrtime.bigint()
    let at = 0
    for (let check = 0; check < checks; check += 1) {
      // A stride that is prime to the size: no two checks in a row are neighbours.
      at = (at + 61_813) % names
      const candidate = identities[at]
      if (candidate === undefined || sessions.admit(candidate).admitted !== expected) {
        throw new Error('the decision is wrong')
      }
    }
    return Number(process.hrtime.bigint() - startedAt) / checks
  }
  return [measure(listed, true), measure(strangers, false)]
}

/** One connection after the other, each with a full handshake. */
async function connect(
  site: Site,
  data: string,
  count: number,
): Promise<{ ms: number; cpuMs: number }> {
  const config = await site.writeConfig(NODE, { data })
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
