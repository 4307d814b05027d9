import test from 'ava'
import { readProposal, type ProposalOptions } from '../../../../node/client/operator/proposal.ts'
import { hasSeenAll } from '../../../../node/client/operator/second-node.ts'
import type { NodeConnection } from '../../../../node/client/node-connection.ts'
import { parseName, WHOLE_LIST } from '../../../../node/identity/names.ts'
import { encodeChange, type Checkpoint } from '../../../../node/whitelist/change.ts'
import { StateRoot } from '../../../../node/whitelist/state-root.ts'
import { NOON, OPERATOR, testSource, wishOf } from '../../../support/replica-changes.ts'
import { AUTHORITY, FORMER } from '../../../support/vouchers.ts'

const ALPHA = testSource('alpha')
const HASH = 'A'.repeat(43)
const PROPOSED: Checkpoint = {
  kind: 'checkpoint',
  subject: WHOLE_LIST,
  source: ALPHA,
  sequence: 3,
  previous: HASH,
  operator: OPERATOR,
  at: NOON,
  wish: wishOf('spring'),
  seen: [],
  heads: new Map([[ALPHA, { sequence: 2, hash: HASH }]]),
  state: new StateRoot().root(),
  subjects: 0,
  former: [FORMER],
}
const ASKED: ProposalOptions = {
  wish: { kind: 'checkpoint', subject: WHOLE_LIST },
  id: PROPOSED.wish,
  operator: OPERATOR,
  node: parseName('alpha'),
  trusted: () => [AUTHORITY],
  now: NOON,
}

/** Another node, as far as it says how far it has heard each source. */
function nodeWith(clock: unknown): NodeConnection {
  return { call: async () => clock } as unknown as NodeConnection
}

test('a checkpoint is signed as it was asked for, and not one that calls former who is trusted here', t => {
  t.deepEqual(readProposal(encodeChange(PROPOSED), ASKED), PROPOSED)
  t.is(
    readProposal(encodeChange({ ...PROPOSED, former: [AUTHORITY] }), ASKED),
    'a checkpoint that calls an authority former which is trusted here',
  )
  const grant = { ...ASKED, wish: { kind: 'revocation', subject: WHOLE_LIST } } as const
  t.is(readProposal(encodeChange(PROPOSED), grant), 'another change')
})

test('a checkpoint that has not seen what a second node holds is told from one that has', async t => {
  const beta = testSource('beta')
  t.true(await hasSeenAll(PROPOSED, nodeWith({ [ALPHA]: 2 })))
  t.false(await hasSeenAll(PROPOSED, nodeWith({ [ALPHA]: 3 })))
  t.false(await hasSeenAll(PROPOSED, nodeWith({ [ALPHA]: 2, [beta]: 1 })))
  t.true(await hasSeenAll(PROPOSED, nodeWith({ [ALPHA]: 2, [`${beta}0123456789abcdef`]: 1 })))
  t.is(await hasSeenAll(PROPOSED, nodeWith(null)), undefined)
})
