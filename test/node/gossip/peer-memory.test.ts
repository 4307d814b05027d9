import test from 'ava'
import type { ReplacedFile } from '../../../node/gossip/gathered-file.ts'
import { PeerMemory } from '../../../node/gossip/peer-memory.ts'
import { parseName } from '../../../node/identity/names.ts'
import { recordLog, type LogLine } from '../../support/gossip-cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { openMembers } from '../../support/members.ts'
import { NOON } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'
import { testNetwork } from '../../support/replica-pair.ts'

const people = await makePeople({ nodes: ['alpha', 'beta'] })

/** A file in memory, and how often it was written. */
class TestFile implements ReplacedFile {
  readonly path = 'peers.json'
  text: string | undefined
  writes = 0
  isFull = false

  read(): string | undefined {
    return this.text
  }

  replace(text: string): void {
    if (this.isFull) throw new Error('no space left on device')
    this.text = text
    this.writes += 1
  }
}

/** The memory of alpha, which has just met beta. */
async function meetBeta(file = new TestFile()) {
  const clock = new FakeClock(NOON)
  const log: LogLine[] = []
  const memory = new PeerMemory({ file, isRemoved: () => false, clock, log: recordLog(log) })
  const [alpha, beta] = [
    openMembers(people, 'alpha', { clock }),
    openMembers(people, 'beta', { clock }),
  ]
  memory.follow(alpha.replica)
  const { connect, quiet } = testNetwork()
  connect(alpha, beta)
  await quiet()
  /** Beta moves, and alpha hears of it. */
  const move = async (address: string): Promise<void> => {
    beta.replica.advertise([address])
    await clock.advance(10)
    await quiet()
  }
  return { clock, log, memory, file, move }
}

test('a peer that is met is on disk within a moment, and known in the next run', async t => {
  const { clock, file } = await meetBeta()
  await clock.advance(250)
  t.is(file.writes, 1)
  const again = new PeerMemory({ file, isRemoved: () => false, clock, log: recordLog([]) })
  t.deepEqual(again.peers, [{ name: parseName('beta'), address: 'beta:1' }])
  t.deepEqual(again.names().map(String), ['beta'])
})

test('peers that move again and again are written once in five seconds, and nothing twice', async t => {
  const { clock, file, move } = await meetBeta()
  await clock.advance(250)
  for (let port = 2; port <= 40; port += 1) await move(`beta:${port}`)
  t.is(file.writes, 1)
  await clock.advance(5_000)
  t.is(file.writes, 2)
  t.regex(file.text ?? '', /"beta:40"/)
  await move('beta:41')
  await move('beta:40')
  await clock.advance(10_000)
  t.is(file.writes, 2)
})

test('what was not written yet is written at the end, and no timer is left', async t => {
  const { clock, file, memory } = await meetBeta()
  memory[Symbol.dispose]()
  t.is(file.writes, 1)
  t.is(clock.pending, 0)
})

test('a disk that is full is said once, and the peers are written when there is room', async t => {
  const file = new TestFile()
  file.isFull = true
  const { clock, log, move } = await meetBeta(file)
  await clock.advance(250)
  await move('beta:2')
  await clock.advance(5_000)
  t.is(log.length, 1)
  t.regex(log[0]?.text ?? '', /cannot remember/)
  file.isFull = false
  await move('beta:3')
  await clock.advance(5_000)
  t.regex(file.text ?? '', /"beta:3"/)
})

test('a file that holds no peers is said, and does not keep the node from starting', async t => {
  const file = new TestFile()
  file.text = '{"peers":7}'
  const { memory, log } = await meetBeta(file)
  t.deepEqual(memory.peers, [])
  t.regex(log[0]?.text ?? '', /cannot read the peers/)
})
