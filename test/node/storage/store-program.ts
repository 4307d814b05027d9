import { writeSync } from 'node:fs'
import { systemClock } from '../../../node/lib/clock.ts'
import { errorCode } from '../../../node/lib/errors.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import { client, requestOf, testSource } from '../../support/replica-changes.ts'
import { loggedHashes } from '../../support/replica-store.ts'

/**
 * A program that uses a store: `hold` keeps it open, `write` commits changes until it is killed
 * and prints the hash of each, `fill` commits until it no longer can, `die` likewise and is killed
 * behind that, `list` prints the log, `archive` stands still while it archives: behind a copy, or
 * when some of what was copied is taken out of the log.
 */
const [task, file = '', stage = ''] = process.argv.slice(2)

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function openReplica(): Promise<{ commit: () => Promise<string>; changes: () => number }> {
  // Here, for the tasks that need neither keys nor certificates start sooner without them.
  const { Replica } = await import('../../../node/gossip/replica.ts')
  const { commitRequest, makePeople } = await import('../../support/replica-people.ts')
  const people = await makePeople({ nodes: ['alpha'], now: Date.now() })
  const store = openSqliteStore(file)
  const signers = people.signers(store)
  const { signer, key } = people.node('alpha')
  const replica = new Replica({
    source: testSource('alpha'),
    store,
    signers,
    self: { signer, key },
    clock: systemClock,
  })
  let count = 0
  return {
    commit: async () => {
      const request = requestOf('revocation', client(`client-${(count += 1)}`))
      const commit = await commitRequest(replica, request, people.operator(), signers)
      if (commit.outcome !== 'committed') throw new Error(commit.why)
      return commit.entry.hash
    },
    changes: () => replica.whitelist.changes,
  }
}

/** @param stage where it stands still: `copied` or `begun` */
async function standStill(stage: string): Promise<never> {
  const { Archiving } = await import('../../../node/gossip/archiving.ts')
  const { buildWhitelist } = await import('../../../node/whitelist/build.ts')
  const { ALL_VOUCHED } = await import('../../support/vouchers.ts')
  const store = openSqliteStore(file)
  const list = buildWhitelist(store, ALL_VOUCHED)
  const beginAt = store.beginAt.bind(store)
  const stop = (): void => {
    print(stage)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
  store.beginAt = base => {
    if (stage === 'copied') stop()
    beginAt(base)
    store.archives.takeOut(2)
    stop()
  }
  await new Archiving({ list: () => list, store, onBegun: base => list.moveBase(base) }).run()
  throw new Error('it went on')
}

switch (task) {
  case 'hold': {
    const store = openSqliteStore(file)
    print('open')
    process.stdin.resume().once('end', () => store[Symbol.dispose]())
    break
  }
  case 'write': {
    const { commit } = await openReplica()
    for (;;) print(await commit())
  }
  case 'archive':
    await standStill(stage)
    break
  case 'fill':
  case 'die': {
    const { commit, changes } = await openReplica()
    const committed: string[] = []
    let failure: string | undefined
    while (failure === undefined) {
      try {
        committed.push(await commit())
      } catch (error) {
        failure = errorCode(error) ?? String(error)
      }
    }
    writeSync(1, `${JSON.stringify({ committed, failure, changes: changes() })}\n`)
    if (task === 'die') process.kill(process.pid, 'SIGKILL')
    break
  }
  case 'list': {
    using store = openSqliteStore(file)
    print(JSON.stringify(loggedHashes(store)))
    break
  }
  default:
    throw new Error(`no task ${String(task)}`)
}
