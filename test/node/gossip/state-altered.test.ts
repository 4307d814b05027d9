import test, { type ExecutionContext } from 'ava'
import { isStray } from '../../../node/whitelist/entry.ts'
import { attachEndpoint } from '../../support/gossip-document.ts'
import { LOG, makeScene } from '../../support/state-scene.ts'

/** Send a newcomer the state that a node has, altered. @returns why it ended the link */
async function takeAltered(
  t: ExecutionContext,
  alter: (row: unknown[], change: string) => readonly unknown[] | undefined,
): Promise<readonly string[]> {
  const { open, openArchived } = await makeScene(t)
  const alpha = await openArchived('alpha')
  const gamma = open('gamma')
  const sender = attachEndpoint(alpha.replica, gamma.replica.id, { here: true, there: undefined })
  await sender.receive({ id: gamma.replica.id, clock: {} })
  const link = attachEndpoint(gamma.replica, alpha.replica.id, { here: undefined, there: true })
  for (const frame of sender.sent) {
    if (!(frame instanceof Object && 'state' in frame)) await link.receive(frame)
    else {
      const rows = frame.state as [{ readonly change: string }, ...unknown[]][]
      const altered = rows.map(row => alter(row, row[0].change)).filter(row => row !== undefined)
      await link.receive({ state: altered })
    }
    await gamma.replica.settled()
  }
  t.is(gamma.replica.whitelist.changes === 0, link.refusals.length > 0)
  return link.refusals
}

test('attack: a state from which a removal or a grant is left out, or called spent, is refused', async t => {
  t.deepEqual(await takeAltered(t, row => row), [])
  const why = ['a state is not what its checkpoint states']
  const [grant, removal] = [
    '"grant","subject":"client/basil"',
    '"revocation","subject":"client/dill","source":"alpha',
  ]
  for (const text of [grant, removal]) {
    const isIt = (change: string): boolean => change.includes(text)
    t.deepEqual(
      await takeAltered(t, (row, change) => (isIt(change) ? [...row, 'spent'] : row)),
      why,
    )
  }
  const left = await takeAltered(t, (row, change) => (change.includes(grant) ? undefined : row))
  t.deepEqual(left, why)
})

test('attack: a state in which what is spent is called standing, or an entry is altered, is refused', async t => {
  const standing = await takeAltered(t, row => row.slice(0, 3))
  t.deepEqual(standing, ['a state is not what its checkpoint states'])
  const altered = await takeAltered(t, (row, change) => {
    const [value, ...place] = row as [object, ...unknown[]]
    return [{ ...value, change: change.replace('client/amber', 'client/apple') }, ...place]
  })
  t.is(altered.length, 1)
  t.regex(altered[0] ?? '', /is not signed by its/)
})

test('attack: a state with a signature that is not under its entry is refused, whatever the entry decides', async t => {
  // Genuine ones, of another entry: only a check of this one tells.
  const [first] = LOG.entries.flatMap(one => (isStray(one) ? [] : [one.signatures]))
  const kinds = [
    ['a grant that stands', '"grant","subject":"client/basil"', undefined],
    ['the newest removal', '"revocation","subject":"client/dill","source":"alpha', undefined],
    ['what is spent', '', 'spent'],
  ] as const
  for (const [title, text, spent] of kinds) {
    for (const [field, role] of [
      ['operatorSignature', 'operator'],
      ['nodeSignature', 'node'],
    ] as const) {
      const refusals = await takeAltered(t, (row, change) => {
        const [value, ...place] = row as [object, ...unknown[]]
        const isIt = change.includes(text) && place[2] === spent
        return isIt ? [{ ...value, [field]: first?.[field] }, ...place] : row
      })
      t.is(refusals.length, 1, `${title}: ${field}`)
      t.regex(refusals[0] ?? '', new RegExp(`is not signed by its ${role}`))
    }
  }
})
