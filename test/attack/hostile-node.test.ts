import test from 'ava'
import type { Entry } from '../../node/whitelist/entry.ts'
import { asUpdate } from '../../node/gossip/update.ts'
import { SKIPPABLE, startCluster, untilReachable } from '../support/cluster.ts'
import { connectHostile, type DocumentName, type HostileNode } from '../support/hostile-node.ts'
import { SkipClock } from '../support/skip-clock.ts'
import { ATTEMPTS, type Attempt } from './hostile-attempts.ts'
import { certs, EVIL, removePeople, stolen, t0 } from './hostile-people.ts'

/**
 * What somebody tries who has the key of a node, and of nobody else: each attempt costs the link,
 * with the reason in the log, and changes nothing. One cluster takes it all.
 */

const clock = new SkipClock()
const cluster = await startCluster(t0, { nodes: 2, certs, clock, config: SKIPPABLE })
await cluster.grant(1, 'c1')
await cluster.grant(1, 'c2')
await cluster.revoke(2, 'c2')
await cluster.grant(2, 'c3')
await cluster.revoke(1, 'c3')
await cluster.grant(1, 'c3')
const listBefore = await listOn(1)
const witnesses = await Promise.all([1, 2].map(async index => cluster.client(index, 'c1')))

async function listOn(index: number): Promise<string> {
  await using operator = await cluster.operator(index)
  const reports = await Array.fromAsync(operator.subjects())
  return JSON.stringify(reports.map(report => ({ ...report, sessions: undefined })))
}

/** What is wrong after an attack; nothing is. */
async function harm(): Promise<string[]> {
  const wrong: string[] = []
  for (const index of [1, 2]) {
    if ((await listOn(index)) !== listBefore) wrong.push(`node-${index} has another list`)
  }
  const cutHonest = cluster.log.lines.filter(
    ({ text, fields }) => /^link (cut|ended)/.test(text) && fields['peer'] !== 'mallory',
  )
  for (const { node, fields } of cutHonest) wrong.push(`${node} cut ${JSON.stringify(fields)}`)
  for (const { ended } of witnesses) {
    const isOpen = await Promise.race([ended.then(() => false), Promise.resolve(true)])
    if (!isOpen) wrong.push('a client was cut')
  }
  return wrong
}

test.after.always(async () => {
  for (const witness of witnesses) await witness[Symbol.asyncDispose]()
  await cluster[Symbol.asyncDispose]()
  await removePeople()
})

for (const [document, [title, reason, frames]] of ATTEMPTS) {
  // One after the other: of several links from one node all but one are refused.
  test.serial(`${title}: refused, and the link is cut`, async t => {
    await attack(document, frames)
    await logged(reason)
    t.deepEqual(await harm(), [])
  })
}

function isEntry(frame: unknown): frame is Entry {
  return typeof frame === 'object' && frame !== null && 'text' in frame
}

let logFrom = 0

/** Make a link, send what there is to send, and wait until it is over. */
async function attack(document: DocumentName, frames: Attempt[2]): Promise<void> {
  clock.skipGathering()
  logFrom = cluster.log.lines.length
  const link = await connectHostile(t0, cluster.node(1).address, stolen, { source: EVIL })
  try {
    const sent = (await frames(link)).map(frame => (isEntry(frame) ? asUpdate(frame) : frame))
    link.tell(document, ...sent)
    await untilCut(link)
  } finally {
    link.socket.destroy()
  }
}

/** @throws when the node goes on to say that it lives */
async function untilCut({ lines, closed, socket }: HostileNode): Promise<void> {
  let from = lines.all.length
  for (let beats = 0; beats < 3 && !socket.destroyed; beats += 1) {
    await Promise.race([closed, lines.find(/\\"beat\\"/, from).catch(() => {})])
    from = lines.all.length
  }
  const isCut = socket.destroyed
  socket.destroy()
  await closed
  if (!isCut) throw new Error('the link was not cut')
}

async function logged(reason: RegExp): Promise<void> {
  await cluster.log.find(
    line =>
      cluster.log.lines.indexOf(line) >= logFrom &&
      line.node === 'node-1' &&
      line.text === 'link cut: the peer broke the protocol' &&
      line.fields['peer'] === 'mallory' &&
      reason.test(String(line.fields['detail'])),
  )
}

test.serial('two nodes see each other through it all', async t => {
  await untilReachable(cluster, 1, 2)
  t.deepEqual(await harm(), [])
})
