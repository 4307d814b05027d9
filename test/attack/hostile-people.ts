import { createHash, generateKeyPairSync } from 'node:crypto'
import { parseName, parseSubject, type Source } from '../../node/identity/names.ts'
import type { Change, Grant } from '../../node/whitelist/change.ts'
import type { Entry } from '../../node/whitelist/entry.ts'
import { asUpdate, type UpdateValue } from '../../node/gossip/update.ts'
import { makeTestCerts } from '../support/certs.ts'
import { makeSharedCerts } from '../support/cluster.ts'
import { forgeCertificate, uris } from '../support/forged-certificate.ts'
import { certificateOf, personOf, signEntry, type HostileNode } from '../support/hostile-node.ts'
import { grantAt, revocationAt, testSource } from '../support/replica-changes.ts'

/** Who is there when a node is stolen, and what its thief has to work with. */

export const DAY_MS = 86_400_000
export const shared = await makeSharedCerts({
  nodes: ['node-1', 'node-2', 'mallory'],
  clients: ['c1', 'c2', 'c3'],
  operators: ['admin', 'retired'],
  now: Date.now() - 5 * DAY_MS,
})
export const { certs } = shared
const removals: (() => unknown)[] = []
export const t0 = { teardown: (removal: () => unknown) => void removals.push(removal) }
await certs.issue('operator', 'retired', { now: Date.now() - 3 * DAY_MS, days: 1 })
const elsewhere = await makeTestCerts(t0, { nodes: ['mallory'], operators: ['admin'] })
const [thief, ...others] = await Promise.all([
  certs.load('node', 'mallory'),
  certs.load('operator', 'admin'),
  certs.load('client', 'c3'),
  elsewhere.load('operator', 'admin'),
])
export const stolen = thief
export const mallory = personOf(stolen)
export const admin = personOf(others[0])
export const foreigner = personOf(others[2])

/** The run that the attacker says to be. */
export const EVIL = testSource('mallory')

/** A place that no source reaches. */
export const FAR = 9e15

/** The updates of the list that the node has sent: what any node gets. */
export function updates(link: HostileNode): [UpdateValue, number, Source][] {
  return link.heard('whitelist').filter(frame => Array.isArray(frame)) as [
    UpdateValue,
    number,
    Source,
  ][]
}

/** The update of the list that holds a change which fits. */
export function updateOf(link: HostileNode, kind: Change['kind'], client: string) {
  const update = updates(link).find(
    ([{ change }]) => change.includes(`"kind":"${kind}"`) && change.includes(`client/${client}"`),
  )
  if (update === undefined) throw new Error(`no ${kind} of ${client} was sent`)
  return update
}

export function genuine(link: HostileNode): [UpdateValue, number, Source] {
  return updateOf(link, 'grant', 'c2')
}

/** The attacker's own grant of `c2`, which nobody signed. */
export const wanted: Grant = {
  ...grantAt(EVIL, 1, { subject: parseSubject('c2') }),
  operator: parseName('admin'),
  at: Date.now(),
}

/** Changes that the operator made on the attacker's node in good faith. */
export const inGoodFaith = ['x1', 'x2', 'x3'].map((name, index): Change => ({
  ...revocationAt(EVIL, index + 1, parseSubject(name)),
  operator: parseName('admin'),
  at: Date.now(),
}))
export const keys = { operator: admin, node: mallory }

/** An update made of an entry, with some of its fields replaced. */
export function altered(entry: Entry, fields: Partial<UpdateValue>): unknown {
  const [value, sequence, source] = asUpdate(entry)
  return [{ ...(value as UpdateValue), ...fields }, sequence, source]
}

export const shown = [mallory.signer, admin.signer].map(certificateOf)
export const selfMade = await selfSigned()

async function selfSigned(): Promise<{ chain: string[]; signed: Entry }> {
  const keyPair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = await forgeCertificate({
    subject: [{ CN: ['admin'] }],
    names: uris('spiffe://test.fridge/operator/admin'),
    keys: keyPair,
  })
  const operatorCertificate = createHash('sha256').update(der).digest('hex')
  const signed = signEntry(wanted, '', {
    node: mallory,
    operator: { ...admin, key: keyPair.privateKey },
  })
  return {
    chain: [der.toString('base64')],
    signed: { ...signed, signatures: { ...signed.signatures, operatorCertificate } },
  }
}

/** Remove what was made. */
export async function removePeople(): Promise<void> {
  for (const removal of removals) await removal()
  await shared.remove()
}
