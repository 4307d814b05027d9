import { createPrivateKey, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { NodeConfig } from '../config/config.ts'
import { nodeOf, sourceOf, subjectOf, type Name, type Source } from '../identity/names.ts'
import { OwnSigner } from '../identity/own-signer.ts'
import { Signers, type SignersOptions } from '../identity/signers.ts'
import type { Verifier } from '../identity/verifier.ts'
import type { Credentials } from '../identity/credentials.ts'
import type { Trust } from '../identity/trust.ts'
import type { CheckpointEntry } from '../whitelist/cut.ts'
import { LOST_FILE, LostChanges } from './lost-changes.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { shellWord } from '../lib/shell-word.ts'
import { checkBase } from '../storage/check-base.ts'
import { checkLog } from '../storage/check-log.ts'
import { IntegrityCheck, isWorthAThread } from '../storage/integrity-check.ts'
import { sealKeyOf } from '../storage/log-seal.ts'
import { StoredChanges } from '../storage/stored-changes.ts'
import { DATABASE_FILE } from '../storage/sqlite-database.ts'
import type { NodeStore } from '../storage/node-store.ts'
import { openSqliteStore } from '../storage/sqlite-store.ts'
import { WholeFile } from '../storage/whole-file.ts'
import { Archiving } from './archiving.ts'
import { Forgettings } from './forgettings.ts'
import { OwnRemoval, REMOVAL_FILE } from './own-removal.ts'
import type { ForkProof } from './fork-proof.ts'
import type { RemovalProof } from './removal-proof.ts'
import { Proofs } from './proofs.ts'
import type { ReplacedFile } from './gathered-file.ts'
import { OwnSource } from './own-source.ts'
import { Replica } from './replica.ts'

/** The list of a node, with all that it takes to read it, to check it and to change it. */
export interface OpenList extends Disposable {
  /** This run of the node. */
  readonly source: Source
  /** What numbers the changes that it accepts. */
  readonly ownSource: OwnSource
  readonly replica: Replica
  /** The log of changes, to be read. */
  readonly storedChanges: StoredChanges
  /** What moves the older part of the log into archives. */
  readonly archiving: Archiving
  readonly signers: Signers
  /** What this node signs with. */
  readonly self: OwnSigner
  /** Whether this node itself was removed, or has forked. */
  readonly ownRemoval: OwnRemoval
  /** The nodes that operators have said will not come back. */
  readonly forgettings: Forgettings
  /** What it accepted and gave up. */
  readonly lostChanges: LostChanges
  /** What a node is shown that was removed, or has forked; undefined for all others. */
  readonly proofAgainst: (node: Name) => RemovalProof | ForkProof | undefined
  /** Seal the list with another key of this node from now on. */
  readonly reseal: (credentials: Credentials) => void
  /** Where it keeps the addresses of its peers. */
  readonly peerFile: ReplacedFile
  /** Keeps what other nodes said last. */
  readonly lastWordsFile: ReplacedFile
}

export interface OpenListOptions {
  readonly trust: Trust
  readonly verifier: Verifier
  readonly clock: Clock
  readonly log: Log
}

/**
 * Open the database of a node, and the list in it.
 * @throws FridgeError with everything released: `ERR_DATABASE`, `ERR_DATABASE_CORRUPT`,
 *   `ERR_CERTIFICATE` when peers would not take what this node signs with
 */
export async function openList(
  { name, data }: Pick<NodeConfig, 'name' | 'data'>,
  { trust, verifier, clock, log }: OpenListOptions,
): Promise<OpenList> {
  using stack = new DisposableStack()
  const database = join(data, DATABASE_FILE)
  const sealKey = keyOfSeal(trust.credentials)
  const isLarge = isWorthAThread(database)
  const store = stack.use(openSqliteStore(database, sealKey, isLarge))
  await using integrity = isLarge ? new IntegrityCheck(database) : undefined
  const storedChanges = stack.use(StoredChanges.open(database))
  const authority = {
    trustDomain: trust.credentials.identity.trustDomain,
    authorities: () => trust.signing,
    trusted: () => trust.trusted,
    verifier,
  }
  if (!store.isSealed) {
    log.warn(
      {},
      'the list carries no seal of this node and its key: all its signatures are checked first',
    )
    await integrity?.passed()
    await checkUnsealed(database, store, authority)
    store.seal(sealKey)
  }
  warnOfMissing(store.archives, data, log)
  const source = drawSource(name)
  const ownSource = ownSourceOf(name, store)
  const signers = new Signers({ store, ...authority })
  const self = new OwnSigner(trust.credentials, signers)
  const replica = stack.use(
    new Replica({
      source,
      ownSource,
      wholeness: store,
      store,
      signers,
      self,
      clock,
      onUntrue: checkpoint => tellUntrue(checkpoint, log),
    }),
  )
  // It has read by indexes that may lie.
  await integrity?.passed()
  const archiving = stack.use(
    new Archiving({
      list: () => replica.whitelist,
      store,
      onBegun: base => replica.moveBase(base),
    }),
  )
  replica.checks.start()
  const removalFile = new WholeFile(join(data, REMOVAL_FILE))
  const ownRemoval = new OwnRemoval({ name, signers, file: removalFile, log })
  const forgettings = forgettingsIn(data, { replica, signers, log })
  const lostChanges = new LostChanges({ file: new WholeFile(join(data, LOST_FILE)), clock, log })
  const proofs = new Proofs({ list: () => replica.whitelist, store, signers })
  stack.use(followList({ name, data, replica, ownRemoval, lostChanges, proofs, log }))
  const opened = stack.move()
  return {
    source,
    ownSource,
    replica,
    storedChanges,
    archiving,
    signers,
    self,
    ownRemoval,
    forgettings,
    lostChanges,
    proofAgainst: node => proofs.against(node),
    reseal: credentials => reseal(store, credentials, replica),
    peerFile: new WholeFile(join(data, 'peers.json')),
    lastWordsFile: new WholeFile(join(data, 'last-words.json')),
    [Symbol.dispose]: () => opened.dispose(),
  }
}

/** A name for a source that no other run of this node has. */
function drawSource(name: Name): Source {
  return sourceOf(name, randomBytes(8).toString('hex'))
}

function ownSourceOf(name: Name, store: Pick<NodeStore, 'ownSource' | 'keepOwnSource'>): OwnSource {
  const kept = store.ownSource()
  return new OwnSource({
    ...(kept !== undefined && nodeOf(kept) === name && { kept }),
    draw: () => drawSource(name),
    keep: source => store.keepOwnSource(source),
  })
}

function forgettingsIn(
  data: string,
  { replica, signers, log }: Pick<OpenList, 'replica' | 'signers'> & { readonly log: Log },
): Forgettings {
  return new Forgettings({
    signers,
    isRevoked: operator =>
      replica.whitelist.state(subjectOf('operator', operator)).revocations.size > 0,
    file: new WholeFile(join(data, 'forgotten.json')),
    log,
  })
}

function reseal(
  store: Pick<NodeStore, 'seal'>,
  credentials: Credentials,
  { storage }: Pick<Replica, 'storage'>,
): void {
  try {
    store.seal(keyOfSeal(credentials))
  } catch (error) {
    // Then the next start checks all signatures.
    storage.failed(error)
  }
}

function keyOfSeal({ key }: Credentials): Buffer {
  return sealKeyOf(createPrivateKey(key))
}

/** Check a database that may have been written by others: nothing is trusted because it is there. */
async function checkUnsealed(
  database: string,
  store: NodeStore,
  authority: Omit<SignersOptions, 'store'>,
): Promise<void> {
  // Each certificate is traced to an authority.
  const nothing = { certificates: () => [], keepCertificate: () => {} }
  await checkLog(database, new Signers({ store: nothing, ...authority }))
  checkBase(database, store, new Signers({ store, ...authority }))
}

function warnOfMissing({ missing: all }: NodeStore['archives'], data: string, log: Log): void {
  for (const missing of all) {
    const fix = `put it back into ${shellWord(data)} and restart the node`
    log.warn(
      { missing, fix },
      'an archive of the log is not there: who lacks what is in it cannot have it from here',
    )
  }
}

function tellUntrue({ change: { operator, source } }: CheckpointEntry, log: Log): void {
  log.error(
    { operator, node: nodeOf(source) },
    'a checkpoint states a list that was not: look into who signed it, and the node that proposed it',
  )
}

interface Followers extends Pick<NodeConfig, 'name' | 'data'> {
  readonly replica: Replica
  readonly ownRemoval: OwnRemoval
  readonly lostChanges: LostChanges
  readonly proofs: Proofs
  readonly log: Log
}

/** Tell the log and what is kept beside the list of what becomes of it. */
function followList(followers: Followers): Disposable {
  const { name, data, replica, ownRemoval, lostChanges, proofs, log } = followers
  using stack = new DisposableStack()
  const noteOwnFork = (): void => {
    if (replica.whitelist.hasEquivocated(name)) ownRemoval.noteFork(proofs.forkOf(name))
  }
  const own = proofs.removalOf(name)
  if (own !== undefined) ownRemoval.note(own)
  noteOwnFork()
  stack.use(
    replica.subscribe(applied => {
      for (const { entry } of applied) {
        ownRemoval.note(entry)
        lostChanges.applied(entry.change)
      }
    }),
  )
  stack.use(
    replica.subscribeEquivocation(strays => {
      for (const { entry } of strays) ownRemoval.note(entry)
      noteOwnFork()
    }),
  )
  replica.storage.subscribe(reason => {
    if (reason === undefined) return log.info({}, 'changes can be stored again')
    const look = `df -h ${shellWord(data)}; lsof ${shellWord(join(data, DATABASE_FILE))}`
    const fix = `make space on its disk, or see what else holds it: ${look}`
    log.error({ reason, fix }, 'changes cannot be stored: no further client is let in')
  })
  replica.subscribeEnded(({ source, why, lost }) => {
    log.warn({ source, why, lost: lost.length }, 'a source of this node has ended')
    lostChanges.note(lost.map(({ change }) => change))
  })
  return stack.move()
}
