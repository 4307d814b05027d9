import test from 'ava'
import type { DocumentStream } from '../../../node/gossip/document-stream.ts'
import { stateFrame } from '../../../node/gossip/state-frames.ts'
import { StateIntake } from '../../../node/gossip/state-intake.ts'
import { signChain } from '../../support/hostile-node.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { client, grantAt, testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const people = await makePeople({ nodes: ['alpha'], operators: ['olga'] })
const [operator, node] = [people.operator('olga'), people.node('alpha')]

test('attack: a state with more spent entries than a log may keep for good ends its link', async t => {
  const signers = people.signers(new MemoryStore())
  for (const { signer } of [operator, node]) signers.learn(signer.chain)
  const intake = new StateIntake({
    signers,
    maxSpent: 2,
    isEmpty: () => true,
    onBrought: () => {},
    begin: async () => {},
  })
  const refusals: string[] = []
  const from: DocumentStream = {
    send: () => {},
    drained: async () => {},
    refuse: reason => refusals.push(reason),
    leave: () => {},
    wasWhole: { here: undefined, there: true },
    onSynced: () => {},
  }
  const entries = signChain(
    [1, 2, 3].map(sequence =>
      grantAt(testSource('alpha'), sequence, { subject: client(`name-${sequence}`), seen: [] }),
    ),
    { operator, node },
  )
  const take = async (from: DocumentStream, count: number): Promise<void> => {
    for (const entry of entries.slice(0, count)) {
      intake.take(JSON.parse(JSON.stringify(stateFrame([{ entry, isSpent: true }]))), from)
    }
    await intake.settled()
  }
  await take({ ...from }, 2)
  t.deepEqual(refusals, [])
  await take(from, 3)
  t.deepEqual(refusals, ['a state holds too many spent entries'])
})
