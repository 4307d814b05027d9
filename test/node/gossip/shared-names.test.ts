import test from 'ava'
import type { Update } from '../../../node/gossip/document-frames.ts'
import { placeOfPart } from '../../../node/gossip/member-part.ts'
import { SharedNames } from '../../../node/gossip/shared-names.ts'
import { memberUpdate, STATE } from '../../support/members.ts'
import { testSource } from '../../support/replica-changes.ts'
import { makePeople } from '../../support/replica-people.ts'

const people = await makePeople({ nodes: ['alpha'] })

test('what a node says stays as it was signed, whatever strings it shares', t => {
  const { signer } = people.node('alpha')
  const state = { ...STATE, links: [testSource('beta'), testSource('gamma')] }
  const run = testSource('alpha')
  const update = memberUpdate(state, people.node('alpha'), { run }) as Update
  const said = { update, words: { part: 'state', state } as const, signer }
  t.deepEqual(new SharedNames().shareIn(said), said)
  t.is(update[2], placeOfPart(run, 'state'))
})
