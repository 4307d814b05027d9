import type { ExecutionContext } from 'ava'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { OwnSource } from '../../node/gossip/own-source.ts'
import type { NodeStore } from '../../node/storage/node-store.ts'
import { openSqliteStore } from '../../node/storage/sqlite-store.ts'
import type { Signers } from '../../node/identity/signers.ts'
import type { ChangeStore } from '../../node/whitelist/store.ts'
import { isStray } from '../../node/whitelist/entry.ts'
import { archivingOf } from './archiving.ts'
import { makeTestFolder } from './certs.ts'
import { MemoryStore } from './memory-store.ts'
import { makePeople } from './replica-people.ts'
import { parseName } from '../../node/identity/names.ts'
import { client, testSource } from './replica-changes.ts'
import {
  openReplica,
  testNetwork,
  type TestEnd,
  type TestNetwork,
  type TestReplica,
} from './replica-pair.ts'

const NODES = ['alpha', 'beta', 'gamma', 'delta']
export const people = await makePeople({ nodes: NODES, operators: ['olga', 'oscar'] })
export const [AMBER, BASIL, COCOA] = [client('amber'), client('basil'), client('cocoa')]
export const DILL = client('dill')
export const [OSCAR, DELTA] = [parseName('oscar'), parseName('delta')]
const KEY = Buffer.alloc(32, 7)

/** How often amber is let in and out again. */
const TURNS = 520

/** The log of a node with more changes than a newcomer is sent, and a checkpoint over them. */
export const LOG = await makeLog()

/** @param node whose changes most of them are */
export async function makeLog(node = 'alpha'): Promise<MemoryStore> {
  const store = new MemoryStore()
  // Of beta nothing stands, and nothing is the newest of its subject.
  const beta = openReplica(people, 'beta', { store })
  await beta.grant(DILL)
  await beta.revoke(DILL)
  const alpha = openReplica(people, node, { store })
  alpha.replica.wholeness.noteAlone()
  await alpha.grant(BASIL)
  await alpha.grant(DILL)
  await alpha.revoke(DILL)
  for (let turn = 0; turn < TURNS; turn += 1) {
    await alpha.grant(AMBER)
    await alpha.revoke(AMBER)
  }
  await alpha.checkpoint()
  await alpha.replica.settled()
  return store
}

/** Put a log into a store, with the certificates under it. @param changes how many of it; default all */
export function fill(
  store: ChangeStore,
  log: MemoryStore,
  signers: Signers,
  changes?: number,
): void {
  for (const chain of log.certificates()) signers.learn(chain)
  signers.keep(log.entries.map(one => (isStray(one) ? one.entry : one).signatures))
  store.append(log.entries.slice(0, changes))
}

/** A node that holds the whole log. */
export async function openWhole(name: string, log = LOG): Promise<TestReplica> {
  const store = new MemoryStore()
  fill(store, log, people.signers(store))
  const whole = openReplica(people, name, { store })
  whole.replica.wholeness.noteAlone()
  whole.replica.checks.start()
  await whole.replica.settled()
  return whole
}

/** Nodes with databases in a folder of the test. */
export interface Scene {
  readonly open: (name: string) => TestReplica & { readonly store: NodeStore }
  /** A node that has archived all that leaves the log, and has lost it. */
  readonly openArchived: (
    name: string,
    log?: MemoryStore,
  ) => Promise<TestReplica & { readonly store: NodeStore }>
}

export async function makeScene(t: ExecutionContext): Promise<Scene> {
  const folder = await makeTestFolder(t)
  let run = 1
  const open: Scene['open'] = name => {
    const store = openSqliteStore(join(folder, `${name}.db`), KEY)
    t.teardown(() => store[Symbol.dispose]())
    store.seal(KEY)
    run += 1
    const ownSource = new OwnSource({ draw: () => testSource(name, run) })
    const replica = openReplica(people, name, { store, run, ownSource, wholeness: store })
    return { ...replica, store }
  }
  const openArchived: Scene['openArchived'] = async (name, log = LOG) => {
    const { store, signers } = open(name)
    fill(store, log, signers)
    store[Symbol.dispose]()
    const again = open(name)
    again.replica.wholeness.noteAlone()
    again.replica.checks.start()
    await again.replica.settled()
    using archiving = archivingOf(again)
    t.is((await archiving.run()).changes > 1_000, true)
    again.store[Symbol.dispose]()
    rmSync(join(folder, 'archive-1.db'))
    return open(name)
  }
  return { open, openArchived }
}

/** A replica as an end of a link that says whether its list is whole. */
export function end(of: TestReplica): TestEnd {
  return { ...of, wasWhole: () => of.replica.wholeness.wasWhole }
}

/** Link a newcomer to a node, and wait until it has had the list of that. */
export async function bring(from: TestReplica, to: TestReplica): Promise<TestNetwork> {
  const linked = testNetwork()
  linked.connect(end(from), end(to))
  await linked.quiet()
  return linked
}
