import { createPrivateKey, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Archiving } from '../../node/gossip/archiving.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { sourceOf, subjectOf, WHOLE_LIST } from '../../node/identity/names.ts'
import { signText } from '../../node/identity/signature.ts'
import { sealKeyOf } from '../../node/storage/log-seal.ts'
import { DATABASE_FILE } from '../../node/storage/sqlite-database.ts'
import type { NodeStore } from '../../node/storage/node-store.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'
import { atOnce } from '../../node/whitelist/at-once.ts'
import { buildWhitelist } from '../../node/whitelist/build.ts'
import {
  encodeChange,
  idOf,
  type Change,
  type ChangeId,
  type Checkpoint,
} from '../../node/whitelist/change.ts'
import { entryHash, type Entry } from '../../node/whitelist/entry.ts'
import { judgeCheckpoints, listAt } from '../../node/whitelist/stated-list.ts'
import type { Vouchers } from '../../node/whitelist/vouchers.ts'
import type { Whitelist } from '../../node/whitelist/whitelist.ts'
import { nameAt, signerOf } from './filled-list.ts'

/** How many entries go into one transaction. */
const BATCH = 10_000

/** Of each name a checkpoint states the grant that stands, and the newest revocation. */
const STATED_ROUNDS = 2

export interface AgedListOptions {
  /** The data folder of a node. */
  readonly data: string
  readonly names: number
  /** How often each was let in, or out, in turn: odd, so that all are in. */
  readonly changesPerName: number
  readonly operator: Credentials
  readonly node: Credentials
  readonly checkpoint: boolean
  readonly archive: boolean
  /** Whether what a checkpoint states is signed: another node takes nothing else. Default: nothing is. */
  readonly signs?: boolean
}

/** What a checkpoint cost, in milliseconds of processor time. */
export interface CheckpointCost {
  readonly judgeMs: number
  readonly archiveMs: number
}

/**
 * Write the database of a node whose names were let in and out again and again. Most of its
 * signatures are none: a start under the seal of the node looks at none.
 */
export async function fillAgedList(options: AgedListOptions): Promise<CheckpointCost> {
  const { data, names, changesPerName, node } = options
  using store = openSqliteStore(join(data, DATABASE_FILE), sealKeyOf(createPrivateKey(node.key)))
  const { write, vouchers } = writerOf(store, options)
  const { signs = false } = options
  const last = new Map<number, ChangeId>()
  let batch: Entry[] = []
  const keep = (entry: Entry): void => {
    batch.push(entry)
    if (batch.length >= BATCH) store.append(batch.splice(0))
  }
  for (let round = 0; round < changesPerName; round += 1) {
    const kind = round % 2 === 0 ? 'grant' : 'revocation'
    for (let name = 0; name < names; name += 1) {
      const seen = last.get(name)
      const subject = subjectOf('client', nameAt(name))
      const about = { subject, seen: seen === undefined ? [] : [seen] }
      const entry = write(
        place =>
          kind === 'grant' ? { ...place, kind, ...about, terms: {} } : { ...place, kind, ...about },
        signs && round >= changesPerName - STATED_ROUNDS,
      )
      last.set(name, idOf(entry))
      keep(entry)
    }
  }
  store.append(batch.splice(0))
  if (!options.checkpoint) return { judgeMs: 0, archiveMs: 0 }
  const list = buildWhitelist(store, vouchers)
  store.append([write(place => checkpointOf(list, place), signs)])
  const checked = buildWhitelist(store, vouchers)
  const judgeMs = processorTime(() => [...judgeCheckpoints(checked)])
  if (!options.archive) return { judgeMs, archiveMs: 0 }
  using archiving = new Archiving({
    list: () => checked,
    store,
    onBegun: base => checked.moveBase(base),
  })
  const before = process.cpuUsage()
  await archiving.run()
  const { user, system } = process.cpuUsage(before)
  return { judgeMs, archiveMs: (user + system) / 1_000 }
}

function processorTime(task: () => unknown): number {
  const before = process.cpuUsage()
  task()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** The next entry of the source of a node. @param of what it says, in its place */
type Write = (of: (place: Placed) => Change, isSigned: boolean) => Entry

type Placed = Pick<Change, 'source' | 'sequence' | 'previous' | 'operator' | 'at' | 'wish'>

function writerOf(
  store: NodeStore,
  { operator, node }: AgedListOptions,
): { readonly write: Write; readonly vouchers: Vouchers } {
  const source = sourceOf(node.identity.name, '00000000000000ff')
  const [by, at] = [signerOf(store, operator), signerOf(store, node)]
  for (const { signer } of [by, at]) {
    store.keepCertificate(signer.identity.fingerprint, signer.chain)
  }
  const certificates = {
    operatorCertificate: by.signer.identity.fingerprint,
    nodeCertificate: at.signer.identity.fingerprint,
  }
  const none = { operatorSignature: 'A'.repeat(86), nodeSignature: 'A'.repeat(86) }
  const operatorKey = createPrivateKey(operator.key)
  const nodeKey = createPrivateKey(node.key)
  let [sequence, previous] = [0, '']
  const sign = (text: string, hash: string): typeof none => ({
    operatorSignature: signText(operatorKey, 'change', text),
    nodeSignature: signText(nodeKey, 'entry', hash),
  })
  const write: Write = (of, isSigned) => {
    sequence += 1
    const wish = randomBytes(16).toString('base64url')
    const [name, now] = [operator.identity.name, Date.now()]
    const change = of({ source, sequence, previous, operator: name, at: now, wish })
    const text = encodeChange(change)
    previous = entryHash(text, certificates)
    const signatures = isSigned ? sign(text, previous) : none
    return { change, text, hash: previous, signatures: { ...certificates, ...signatures } }
  }
  const voucher = { authority: by.signer.authority, endsAt: Infinity }
  return { write, vouchers: { voucherOf: () => voucher, isTrusted: () => true } }
}

function checkpointOf(list: Whitelist, place: Placed): Checkpoint {
  const heads = list.everything()
  const base = {
    ...place,
    kind: 'checkpoint',
    subject: WHOLE_LIST,
    seen: [],
    heads,
    former: [],
  } as const
  return { ...base, ...atOnce(listAt(heads, list)) }
}
