import test from 'ava'
import { parseName, type Subject } from '../../node/identity/names.ts'
import { idOf, type Change, type ChangeId } from '../../node/whitelist/change.ts'
import { isStray, strayPlace, type Entry, type Stray } from '../../node/whitelist/entry.ts'
import { SimulatedDisk } from '../simulation/simulated-disk.ts'
import { attackReplica, relink, signChain, signEntry } from '../support/hostile-node.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { client, grantAt, revocationAt, testSource, NOON } from '../support/replica-changes.ts'
import { statesOf } from '../support/replica-model.ts'
import { openReplica, testNetwork, type TestReplica } from '../support/replica-pair.ts'
import { makePeople } from '../support/replica-people.ts'

/** A node that signs more than one change for one place, and shows each to whom it likes. */

const EVIL = testSource('mallory')
const [AMBER, BASIL] = [client('amber'), client('basil')]
const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma', 'mallory'] })
const keys = { operator: people.operator(), node: people.node('mallory') }
const SIGNERS = [keys.operator.signer, keys.node.signer]

/** The list of a replica, what it knows of forks included. */
function listOf({ replica }: TestReplica): string {
  const { whitelist } = replica
  return JSON.stringify([statesOf(whitelist), whitelist.changes, whitelist.forkOf(EVIL)])
}

/** Show entries to a replica. @returns why the link was refused, if it was */
async function show(
  { replica }: TestReplica,
  ...entries: readonly (Entry | Stray)[]
): Promise<string | undefined> {
  const link = attackReplica(replica, EVIL, SIGNERS)
  await link.tell(...entries)
  link.end()
  return link.refused
}

function grant(sequence: number, subject: Subject, seen: readonly ChangeId[] = []): Change {
  return grantAt(EVIL, sequence, { subject, seen })
}

/** The branch of `length` revocations of other subjects, from the first on. */
function branch(name: string, length: number, from: readonly Entry[] = []): Entry[] {
  const first = from.length + 1
  const changes = Array.from({ length }, (_, index) =>
    revocationAt(EVIL, first + index, client(`${name}-${index}`)),
  )
  return [...from, ...signChain(changes, keys, from.at(-1)?.hash)]
}

test('two changes at one place, shown to two nodes before they link, count on both', async t => {
  const { connect, quiet, network } = testNetwork()
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  await show(alpha, signEntry(grant(1, AMBER), '', keys))
  await show(beta, signEntry(revocationAt(EVIL, 1, AMBER), '', keys))
  t.true(alpha.isIn(AMBER))
  connect(alpha, beta)
  await quiet()
  t.false(alpha.isIn(AMBER), 'removing wins')
  t.is(listOf(alpha), listOf(beta))
  t.true(alpha.replica.whitelist.hasEquivocated(parseName('mallory')))
  t.deepEqual(network.refusals, [])
})

test('two changes at one place, shown to two nodes that are linked, count on both', async t => {
  const { connect, quiet, network } = testNetwork()
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  connect(alpha, beta)
  await quiet()
  await Promise.all([
    show(alpha, signEntry(grant(1, AMBER), '', keys)),
    show(beta, signEntry(revocationAt(EVIL, 1, AMBER), '', keys)),
  ])
  await quiet()
  t.false(alpha.isIn(AMBER))
  t.is(listOf(alpha), listOf(beta))
  t.is(alpha.replica.whitelist.forkOf(EVIL), 1)
  t.deepEqual(network.refusals, [])
})

test('branches of any length and any common root end in one list, over one relay and for one who comes late', async t => {
  for (const [root, one, other] of [
    [0, 5, 1],
    [0, 1, 5],
    [2, 3, 3],
    [1, 6, 2],
    [3, 0, 4],
  ] as const) {
    const { connect, quiet, network } = testNetwork()
    const [alpha, beta, gamma] = [
      openReplica(people, 'alpha'),
      openReplica(people, 'beta'),
      openReplica(people, 'gamma'),
    ]
    const common = branch('common', root)
    await show(alpha, ...branch('one', one, common))
    await show(gamma, ...branch('other', other, common))
    await alpha.grant(AMBER)
    await gamma.revoke(BASIL)
    connect(alpha, beta)
    connect(beta, gamma)
    await quiet()
    const late = openReplica(people, 'mallory', { run: 2 })
    connect(late, beta)
    await quiet()
    const lists = [alpha, beta, gamma, late].map(listOf)
    t.is(new Set(lists).size, 1, `${root} ${one} ${other}:\n${lists.join('\n')}`)
    t.is(alpha.replica.whitelist.forkOf(EVIL), one === 0 ? Infinity : root + 1)
    t.deepEqual(network.refusals, [])
  }
})

/** The branch of changes of one subject, each of which has seen the one before it. */
function thread(subject: Subject, length: number, from: readonly Entry[] = []): Entry[] {
  const entries = [...from]
  let seen: ChangeId[] = []
  for (let sequence = from.length + 1; sequence <= from.length + length; sequence += 1) {
    const isGrant = (sequence - from.length) % 2 === 1
    const change = isGrant
      ? grant(sequence, subject, seen)
      : { ...revocationAt(EVIL, sequence, subject), seen }
    const entry = signEntry(change, entries.at(-1)?.hash ?? '', keys)
    entries.push(entry)
    seen = [idOf(entry)]
  }
  return entries
}

test('branches whose changes have seen each other end in one list, and keep no honest nodes apart', async t => {
  for (const [root, one, other] of [
    [0, 5, 3],
    [0, 3, 5],
    [2, 4, 4],
    [1, 1, 7],
    [0, 60, 50],
  ] as const) {
    const { connect, quiet, network } = testNetwork()
    const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
    const common = branch('common', root)
    await show(alpha, ...thread(AMBER, one, common))
    await show(beta, ...thread(BASIL, other, common))
    await alpha.grant(client('coral'))
    await beta.revoke(client('coral'))
    // What came before what it has seen is asked for anew, once it is known where they part.
    for (let times = 0; times < 3; times += 1) {
      connect(alpha, beta)
      await quiet()
    }
    t.is(listOf(alpha), listOf(beta), `${root} ${one} ${other}`)
    t.is(alpha.replica.whitelist.forkOf(EVIL), root + 1)
    t.false(beta.isIn(client('coral')))
    t.deepEqual(network.refusals, [])
  }
})

test('branches of equal length are found to the root, though only their ends show', async t => {
  const { connect, quiet, network } = testNetwork()
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  const common = branch('common', 2)
  await show(alpha, ...branch('one', 4, common))
  await show(beta, ...branch('other', 4, common))
  connect(alpha, beta)
  await quiet()
  t.is(alpha.replica.whitelist.forkOf(EVIL), 3)
  t.is(listOf(alpha), listOf(beta))
  t.deepEqual(network.refusals, [])
})

test('what an operator signed cannot be linked to another past by the key of its node alone', async t => {
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  const removal = signEntry(revocationAt(EVIL, 1, AMBER), '', keys)
  for (const node of [alpha, beta]) await show(node, removal)
  await alpha.grant(AMBER)
  t.true(alpha.isIn(AMBER))
  // As a fork it would be a fresh mark, that the grant has not seen.
  const anew = relink(removal, 'A'.repeat(43), keys.node)
  t.regex((await show(alpha, anew)) ?? '', /does not link|not signed by its operator/)
  const later = relink(
    { ...removal, change: { ...removal.change, sequence: 2 } },
    removal.hash,
    keys.node,
  )
  t.regex((await show(alpha, later)) ?? '', /not signed by its operator/)
  t.regex(
    (await show(alpha, { entry: removal, against: later })) ?? '',
    /not signed by its operator/,
  )
  t.true(alpha.isIn(AMBER))
  t.is(alpha.replica.whitelist.forkOf(EVIL), Infinity)
})

test('who was let in over a node stays in when that node links its changes to another past', async t => {
  const { connect, quiet, network } = testNetwork()
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  const chain = signChain([grant(1, AMBER), grant(2, BASIL), grant(3, client('coral'))], keys)
  const [, second] = chain
  if (second === undefined) throw new Error('no second entry')
  connect(alpha, beta)
  await show(alpha, ...chain)
  await quiet()
  const relinked = signEntry(second.change, 'A'.repeat(43), keys)
  t.is(await show(beta, relinked), undefined)
  await quiet()
  for (const node of [alpha, beta]) {
    t.true(node.replica.whitelist.hasEquivocated(parseName('mallory')))
    for (const name of ['amber', 'basil', 'coral']) t.true(node.isIn(client(name)), name)
  }
  t.is(listOf(alpha), listOf(beta))
  t.deepEqual(network.refusals, [])
})

test('two proofs of different depth of one fork leave two nodes with one list', async t => {
  const { connect, quiet, network } = testNetwork()
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  const chain = signChain([grant(1, client('x')), grant(2, AMBER), grant(3, BASIL)], keys)
  const [first, second, third] = chain
  if (first === undefined || second === undefined || third === undefined)
    throw new Error('no chain')
  const garbage = 'A'.repeat(43)
  await show(alpha, first)
  await show(beta, first)
  const [early, late] = [second, third].map(entry => signEntry(entry.change, garbage, keys))
  if (early === undefined || late === undefined) throw new Error('no rivals')
  t.is(await show(alpha, { entry: third, against: late }), undefined)
  t.is(await show(beta, { entry: second, against: early }, { entry: third }), undefined)
  t.not(alpha.replica.whitelist.forkOf(EVIL), beta.replica.whitelist.forkOf(EVIL))
  connect(alpha, beta)
  await quiet()
  // To the node that knows only of the later fork it is the next.
  t.is(await show(alpha, second), undefined)
  await quiet()
  t.is(listOf(alpha), listOf(beta))
  for (const node of [alpha, beta]) t.true(node.isIn(AMBER) && node.isIn(BASIL))
  t.deepEqual(network.refusals, [])
})

test('a stray that says to have seen what is still to come is refused, and shields nobody', async t => {
  const alpha = openReplica(people, 'alpha')
  const future = signEntry(grant(1, AMBER, ['A'.repeat(43) as ChangeId]), '', keys)
  const against = signEntry(revocationAt(EVIL, 1, BASIL), '', keys)
  t.regex((await show(alpha, { entry: future, against })) ?? '', /has seen others/)
  // As the proof against another it is as good as any, and counts for nothing.
  t.is(await show(alpha, { entry: against, against: future }), undefined)
  t.is(alpha.replica.whitelist.forkOf(EVIL), 1)
  await show(alpha, future)
  t.false(alpha.isIn(AMBER))
  await alpha.revoke(AMBER)
  t.false(alpha.isIn(AMBER))
})

test('a run that takes the place of a stray as its own is refused', async t => {
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  const entry = signEntry(revocationAt(EVIL, 1, AMBER), '', keys)
  const { source } = strayPlace(entry)
  const squatter = signEntry({ ...grant(1, AMBER), source }, '', keys)
  const link = attackReplica(alpha.replica, source, SIGNERS)
  await link.tell(squatter)
  t.regex(link.refused ?? '', /no valid source/)
  const against = signEntry(grant(1, BASIL), '', keys)
  for (const node of [alpha, beta]) await show(node, { entry, against })
  t.is(listOf(alpha), listOf(beta))
})

test('strays and what has seen them come to a newcomer in one batch and cost nobody a link', async t => {
  const { connect, quiet, network } = testNetwork()
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  const [x, y] = [grant(1, AMBER), revocationAt(EVIL, 1, AMBER)].map(one =>
    signEntry(one, '', keys),
  )
  if (x === undefined || y === undefined) throw new Error('no entries')
  await show(alpha, x)
  await show(alpha, y)
  await alpha.grant(AMBER)
  t.true(alpha.isIn(AMBER), 'the grant has seen the stray')
  connect(beta, alpha)
  await quiet()
  t.true(beta.isIn(AMBER))
  t.is(listOf(alpha), listOf(beta))
  t.deepEqual(network.refusals, [])
})

test('a grant that has seen a branch counts on a node that knew of the fork before the branch', async t => {
  const { connect, quiet, network } = testNetwork()
  const [alpha, beta] = [openReplica(people, 'alpha'), openReplica(people, 'beta')]
  const common = branch('common', 2)
  const [mine, yours] = [branch('mine', 1, common), branch('yours', 1, common)]
  await show(alpha, ...common)
  const [x3, y3] = [mine.at(-1), yours.at(-1)]
  if (x3 === undefined || y3 === undefined) throw new Error('no branches')
  await show(alpha, { entry: x3, against: y3 })
  const z3 = signEntry(revocationAt(EVIL, 3, AMBER), common.at(-1)?.hash ?? '', keys)
  await show(beta, ...common, z3)
  await beta.grant(AMBER)
  connect(alpha, beta)
  await quiet()
  // Wherever the revocation is filed, the grant has seen what it says.
  for (const node of [alpha, beta]) t.true(node.isIn(AMBER))
  t.is(listOf(alpha), listOf(beta))
  t.deepEqual(network.refusals, [])
})

test('a node that starts again from its disk knows of every fork that it knew of', async t => {
  const disk = new SimulatedDisk()
  const before = openReplica(people, 'alpha', { store: disk.open() })
  await show(before, ...branch('mine', 4))
  await show(before, ...branch('yours', 2))
  const after = openReplica(people, 'alpha', { store: disk.open(), run: 2 })
  t.is(listOf(before), listOf(after))
  t.is(disk.log.filter(isStray).length, 6)
})

test('a fork that shows while the disk is full is taken later', async t => {
  const { connect, quiet } = testNetwork()
  const disk = new SimulatedDisk()
  const clock = new FakeClock(NOON)
  const alpha = openReplica(people, 'alpha', { store: disk.open(), clock })
  const beta = openReplica(people, 'beta')
  const [x, y] = [grant(1, AMBER), revocationAt(EVIL, 1, AMBER)].map(one =>
    signEntry(one, '', keys),
  )
  if (x === undefined || y === undefined) throw new Error('no entries')
  await show(alpha, x)
  await show(beta, y)
  disk.isFull = true
  t.is(await show(alpha, y), undefined, 'it is no fault of the peer')
  t.true(alpha.isIn(AMBER), 'its list is what is on its disk')
  t.is(alpha.replica.stateOf(AMBER).grants.length, 0, 'the removal acts')
  disk.isFull = false
  await clock.advance(1_000)
  connect(alpha, beta)
  await quiet()
  t.false(alpha.isIn(AMBER))
  t.is(listOf(alpha), listOf(beta))
})

test('a node whose key has signed two changes at one place takes no more of them', async t => {
  const mallory = openReplica(people, 'mallory', { run: 9 })
  await show(mallory, ...branch('mine', 1))
  await show(mallory, ...branch('yours', 1))
  await t.throwsAsync(mallory.grant(AMBER), { code: 'ERR_REVOKED' })
  t.false(mallory.isIn(AMBER))
})
