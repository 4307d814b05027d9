import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { NodeConfig } from '../config/config.ts'
import { nodeOf, sourceOf, subjectOf, type Name, type Source } from '../identity/names.ts'
import { OwnSigner } from '../identity/own-signer.ts'
import { Signers } from '../identity/signers.ts'
import type { Verifier } from '../identity/verifier.ts'
import type { Trust } from '../identity/trust.ts'
import type { Entry } from '../whitelist/entry.ts'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { StoredChanges } from '../storage/stored-changes.ts'
import { DATABASE_FILE } from '../storage/sqlite-database.ts'
import { openSqliteStore } from '../storage/sqlite-store.ts'
import { WholeFile } from '../storage/whole-file.ts'
import { Forgettings } from './forgettings.ts'
import { OwnRemoval, REMOVAL_FILE } from './own-removal.ts'
import { findRemoval, makeRemovalProof, type RemovalProof } from './removal-proof.ts'
import type { PeerFile } from './peer-memory.ts'
import { Replica } from './replica.ts'

/** The list of a node, with all that it takes to read it, to check it and to change it. */
export interface OpenList extends Disposable {
  /** This run of the node, which numbers the changes that it accepts. */
  readonly source: Source
  readonly replica: Replica
  /** The log of changes, to be read. */
  readonly storedChanges: StoredChanges
  readonly signers: Signers
  /** What this node signs with. */
  readonly self: OwnSigner
  /** Whether this node itself was removed. */
  readonly ownRemoval: OwnRemoval
  /** The nodes that operators have said will not come back. */
  readonly forgettings: Forgettings
  /** What a removed node is shown; undefined for one that was not removed. */
  readonly removalProofOf: (node: Name) => RemovalProof | undefined
  /** Where it keeps the addresses of its peers. */
  readonly peerFile: PeerFile
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
export function openList(
  { name, data }: Pick<NodeConfig, 'name' | 'data'>,
  { trust, verifier, clock, log }: OpenListOptions,
): OpenList {
  using stack = new DisposableStack()
  const database = join(data, DATABASE_FILE)
  const store = stack.use(openSqliteStore(database))
  const storedChanges = stack.use(StoredChanges.open(database))
  // A new source each run: no restored backup and no lost disk can lead to a place given twice.
  const source = sourceOf(name, randomBytes(8).toString('hex'))
  const signers = new Signers({
    store,
    trustDomain: trust.credentials.identity.trustDomain,
    authorities: () => trust.signing,
    trusted: () => trust.trusted,
    verifier,
  })
  const self = new OwnSigner(trust.credentials, signers)
  const replica = new Replica({
    source,
    store,
    signers,
    self,
    clock,
    onStoreFailure: error =>
      log.error({ reason: errorMessage(error) }, 'cannot store changes of peers'),
    onUntrue: ({ change: { operator, source } }) =>
      log.error(
        { operator, node: nodeOf(source) },
        'a checkpoint states a list that was not: look into who signed it, and the node that proposed it',
      ),
  })
  stack.use(replica)
  replica.checkCheckpoints()
  const ownRemoval = new OwnRemoval({
    name,
    signers,
    file: new WholeFile(join(data, REMOVAL_FILE)),
    log,
  })
  const forgettings = new Forgettings({
    signers,
    isRevoked: operator =>
      replica.whitelist.state(subjectOf('operator', operator)).revocations.size > 0,
    file: new WholeFile(join(data, 'forgotten.json')),
    log,
  })
  const removalOf = (node: Name): Entry | undefined => findRemoval(node, replica.whitelist, store)
  const own = removalOf(name)
  if (own !== undefined) ownRemoval.note(own)
  stack.use(
    replica.subscribe(applied => {
      for (const { entry } of applied) ownRemoval.note(entry)
    }),
  )
  stack.use(
    replica.subscribeEquivocation(strays => {
      for (const { entry } of strays) ownRemoval.note(entry)
    }),
  )
  const opened = stack.move()
  return {
    source,
    replica,
    storedChanges,
    signers,
    self,
    ownRemoval,
    forgettings,
    removalProofOf: node => {
      const entry = removalOf(node)
      return entry && makeRemovalProof(entry, signers)
    },
    peerFile: new WholeFile(join(data, 'peers.json')),
    [Symbol.dispose]: () => opened.dispose(),
  }
}
