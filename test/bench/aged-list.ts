import { createPrivateKey, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Archiving } from '../../node/gossip/archiving.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { sourceOf, subjectOf, WHOLE_LIST, type Source } from '../../node/identity/names.ts'
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
  type Head,
} from '../../node/whitelist/change.ts'
import { entryHash, type Entry } from '../../node/whitelist/entry.ts'
import { judgeCheckpoints, listAt } from '../../node/whitelist/stated-list.ts'
import type { Vouchers } from '../../node/whitelist/vouchers.ts'
import type { Whitelist } from '../../node/whitelist/whitelist.ts'
import { nameAt, signerOf } from './filled-list.ts'

/** How many entries go into one transaction. */
const BATCH = 10_000

/** The name whose changes are all signed, so that its log can be shown. */
const SHOWN = 0

/** Of each name a checkpoint states the grant that stands, and the newest revocation. */
const STATED_ROUNDS = 2

export interface AgedListOptions {
  /** The data folder of a node. */
  readonly data: string
  readonly operator: Credentials
  readonly node: Credentials
}

export interface AgedListSize {
  readonly names: number
  /** How often each was let in, or out, in turn: odd, so that all are in. */
  readonly changesPerName: number
}

/**
 * Write the database of a node whose names were let in and out again and again. What a checkpoint
 * will state is signed, so that another node takes it, and what is shown; the other signatures are
 * none: a start under the seal of the node looks at none.
 */
export function fillAgedList(
  options: AgedListOptions,
  { names, changesPerName }: AgedListSize,
): void {
  using store = openAgedList(options)
  const { write } = writerOf(store, options)
  const last = new Map<number, ChangeId>()
  let batch: Entry[] = []
  const keep = (entry: Entry): void => {
    batch.push(entry)
    if (batch.length >= BATCH) store.append(batch.splice(0))
  }
  for (let round = 0; round < changesPerName; round += 1) {
    const kind = round % 2 === 0 ? 'grant' : 'revocation'
    const isStated = round >= changesPerName - STATED_ROUNDS
    for (let name = 0; name < names; name += 1) {
      const seen = last.get(name)
      const subject = subjectOf('client', nameAt(name))
      const about = { subject, seen: seen === undefined ? [] : [seen] }
      const entry = write(
        place =>
          kind === 'grant' ? { ...place, kind, ...about, terms: {} } : { ...place, kind, ...about },
        isStated || name === SHOWN,
      )
      last.set(name, idOf(entry))
      keep(entry)
    }
  }
  store.append(batch.splice(0))
}

/** Add a checkpoint that states what there is. @returns milliseconds of processor time to judge it */
export function addCheckpoint(options: AgedListOptions): number {
  using store = openAgedList(options)
  const { vouchers } = writerOf(store, options)
  const list = buildWhitelist(store, vouchers)
  const { write } = writerOf(store, options, list.everything().get(sourceIn(options)))
  store.append([write(place => checkpointOf(list, place), true)])
  const checked = buildWhitelist(store, vouchers)
  return processorTime(() => [...judgeCheckpoints(checked)])
}

/** Move what that leaves behind into an archive. @returns milliseconds of processor time */
export async function archiveAgedList(options: AgedListOptions): Promise<number> {
  using store = openAgedList(options)
  const list = buildWhitelist(store, writerOf(store, options).vouchers)
  Array.from(judgeCheckpoints(list))
  using archiving = new Archiving({
    list: () => list,
    store,
    onBegun: base => list.moveBase(base),
  })
  const before = process.cpuUsage()
  await archiving.run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

function openAgedList({ data, node }: AgedListOptions): NodeStore {
  return openSqliteStore(join(data, DATABASE_FILE), sealKeyOf(createPrivateKey(node.key)))
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

function sourceIn({ node }: AgedListOptions): Source {
  return sourceOf(node.identity.name, '00000000000000ff')
}

/** @param head the newest entry of the source, if there is one */
function writerOf(
  store: NodeStore,
  options: AgedListOptions,
  head: Head = { sequence: 0, hash: '' },
): { readonly write: Write; readonly vouchers: Vouchers } {
  const { operator, node } = options
  const source = sourceIn(options)
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
  let { sequence, hash: previous } = head
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
