import test from 'ava'
import type { NodeConnection } from '../../node/client/node-connection.ts'
import type { ChangeWish } from '../../node/client/operator/operator-connection.ts'
import { parseSubject, WHOLE_LIST, type Subject } from '../../node/identity/names.ts'
import { errorCode } from '../../node/lib/errors.ts'
import { systemClock } from '../../node/lib/clock.ts'
import type { Checkpoint } from '../../node/whitelist/change.ts'
import { StateRoot } from '../../node/whitelist/state-root.ts'
import { makeSharedCerts } from '../support/cluster.ts'
import { requestOf } from '../support/replica-changes.ts'
import { openReplica, testNetwork, type TestReplica } from '../support/replica-pair.ts'
import { honestConnection, operatorAt, peopleOf, stealNode } from '../support/stolen-node.ts'

/**
 * What a stolen node proposes to an operator who asks for a checkpoint: a list that never was. Nodes
 * that hold the log find it untrue; a newcomer, to which two stolen nodes show it, cannot.
 */

const shared = await makeSharedCerts({
  nodes: ['alpha', 'beta', 'mallory'],
  operators: ['admin'],
})
const credentials = await shared.certs.load('operator', 'admin')
const people = await peopleOf(shared.certs, [
  'node/alpha',
  'node/beta',
  'node/mallory',
  'operator/admin',
])
test.after.always(() => shared.remove())
const [mallory, admin] = [people.node('mallory'), people.operator('admin')]
const [C1, C2] = [parseSubject('c1'), parseSubject('c2')]
const CHECKPOINT: ChangeWish = { kind: 'checkpoint', subject: WHOLE_LIST }

interface Scene {
  readonly alpha: TestReplica
  /** What the stolen node knows: it is linked as any other. */
  readonly spy: TestReplica
  readonly quiet: () => Promise<void>
  readonly cut: () => void
}

async function change(
  node: TestReplica,
  kind: 'grant' | 'revocation',
  subject: Subject,
): Promise<void> {
  const operator = admin.signer.identity.name
  const { outcome } = await node.request({ ...requestOf(kind, subject), operator }, admin)
  if (outcome !== 'committed') throw new Error(`${node.name} did not commit`)
}

/** An honest node and a stolen one, linked, with a client that was let in and one that was removed. */
async function openScene(): Promise<Scene> {
  const { connect, network, quiet } = testNetwork()
  const open = (name: string): TestReplica => openReplica(people, name, { clock: systemClock })
  const [alpha, spy] = [open('alpha'), open('mallory')]
  connect(alpha, spy)
  for (const subject of [C1, C2]) await change(alpha, 'grant', subject)
  await change(alpha, 'revocation', C2)
  await quiet()
  const cut = (): void => network.partition(name => (name === 'alpha' ? 0 : 1))
  return { alpha, spy, quiet, cut }
}

/** The list as it would be if nobody had been removed. */
function withoutRemovals({ replica }: TestReplica, one: Checkpoint): Checkpoint {
  const root = new StateRoot()
  const [grant] = replica.whitelist.state(C1).grants
  root.add({ subject: C1, revocations: [], grants: grant ? [grant.id] : [] })
  return { ...one, state: root.root(), subjects: root.leaves }
}

function ask(
  { spy }: Scene,
  rewrite: (one: Checkpoint) => Checkpoint,
  second?: NodeConnection,
): { readonly signed: readonly unknown[]; readonly asked: Promise<unknown>; alone: () => number } {
  let alone = 0
  const node = stealNode({
    replica: spy,
    self: mallory,
    operator: admin,
    rewrite: change => (change.kind === 'checkpoint' ? rewrite(change) : change),
  })
  const onAlone = (): void => void (alone += 1)
  const operator = operatorAt(node.connection, credentials, second)
  const asked = operator.change(CHECKPOINT, { waitMs: 0, onAlone })
  return { signed: node.signed, asked, alone: () => alone }
}

test('attack: a checkpoint whose list a stolen node has made up is not signed, and both nodes are named', async t => {
  const scene = await openScene()
  const second = honestConnection(scene.alpha, people.node('alpha'))
  for (const lie of [
    (one: Checkpoint) => withoutRemovals(scene.spy, one),
    (one: Checkpoint) => ({ ...one, subjects: one.subjects + 1 }),
  ]) {
    const { asked, signed } = ask(scene, lie, second)
    const error = await t.throwsAsync(asked)
    t.is(errorCode(error), 'ERR_CONFLICT')
    t.regex(error?.message ?? '', /mallory and alpha do not say the same of what the list is/)
    t.regex(error?.message ?? '', /nothing was signed/)
    t.deepEqual(signed, [])
  }
  const honest = ask(scene, one => one, second)
  await honest.asked
  t.is(honest.signed.length, 1)
  t.is(honest.alone(), 0)
})

test('attack: a checkpoint that covers what a second node never got is not signed', async t => {
  const scene = await openScene()
  scene.cut()
  await change(scene.spy, 'grant', C2)
  const { asked, signed } = ask(
    scene,
    one => withoutRemovals(scene.spy, one),
    honestConnection(scene.alpha, people.node('alpha')),
  )
  t.regex(
    (await t.throwsAsync(asked))?.message ?? '',
    /alpha does not hold all that mallory would state/,
  )
  t.deepEqual(signed, [])
})

test('what a second node gets a moment later is waited for', async t => {
  const scene = await openScene()
  await change(scene.spy, 'grant', C2)
  const honest = honestConnection(scene.alpha, people.node('alpha'))
  const answers: unknown[] = []
  const second = {
    ...honest,
    call: async (method: string, values: readonly unknown[]) => {
      const answer = await honest.call(method, values)
      if (method === 'stateAt') {
        answers.push(answer)
        await scene.quiet()
      }
      return answer
    },
  } as NodeConnection
  const { asked, signed } = ask(scene, one => one, second)
  await asked
  t.is(signed.length, 1)
  t.is(answers[0], null)
  t.is(answers.length, 2)
})

test('a checkpoint is not signed where the second node says nothing, or what is no answer', async t => {
  const scene = await openScene()
  const honest = honestConnection(scene.alpha, people.node('alpha'))
  for (const said of [undefined, 'the list', {}, { state: 'short', subjects: 1 }]) {
    const second = {
      ...honest,
      call: async (method: string, values: readonly unknown[]) =>
        method === 'stateAt' ? said : honest.call(method, values),
    } as NodeConnection
    const { asked, signed } = ask(scene, one => one, second)
    t.regex((await t.throwsAsync(asked))?.message ?? '', /alpha does not say what the list is/)
    t.deepEqual(signed, [])
  }
})

test('an operator that knows no second node hears that it signs by the word of one', async t => {
  const scene = await openScene()
  const first = ask(scene, one => one)
  await first.asked
  t.deepEqual([first.signed.length, first.alone()], [1, 1])
  // The same node at another address is no second one.
  const same = ask(scene, one => one, honestConnection(scene.spy, mallory))
  await same.asked
  t.deepEqual([same.signed.length, same.alone()], [1, 1])
})
