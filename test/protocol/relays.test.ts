import test from 'ava'
import type { Source } from '../../node/identity/names.ts'
import { parseName } from '../../node/identity/names.ts'
import { parseAsk } from '../../node/relays/relay-frames.ts'
import { isSignedBy } from '../../node/sessions/sign-in.ts'
import { readProtocol, untriedOf } from '../vectors/parts.ts'
import { FarEnd, RelayingEnd } from '../vectors/relay.ts'
import { linesOf } from '../vectors/session.ts'

/** PROTOCOL.md against the code, where one node reads another for its pages. */

const vectors = readProtocol()
const session = vectors.lines('relay')

test('a far node speaks as the page does', async t => {
  const far = new FarEnd()
  for (const line of session) {
    if (line.startsWith('* ')) await far.happen(line.slice(2))
    else if (line.startsWith('R ')) await far.hear(line.slice(2))
  }
  t.deepEqual(far.said, linesOf(session, 'F'))
  t.is(far.ending, undefined)
})

test('a relaying node speaks as the page does, and hands on what it hears', async t => {
  const relaying = new RelayingEnd()
  await relaying.begin()
  for (const line of linesOf(session, 'F')) await relaying.hear(line)
  t.deepEqual(relaying.said, linesOf(session, 'R'))
  t.true(relaying.isConnected)
  t.deepEqual(relaying.page.of('relayed'), [
    ['node-2', 'temperature', 'reading', 4.2, 'C', 1_767_268_800_500, 1],
    ['node-2', 'temperature', 'unavailable', 'no answer', 1_767_268_801_000, 2],
  ])
  t.like(relaying.page.of('relay').at(-1)?.[1], { is: 'lost', reason: 'revoked' })
})

const asks = vectors.json('relay-asks') as readonly {
  readonly ask: unknown
  readonly why: string | null
  /** For which node and run it is signed. */
  readonly signedFor?: { readonly node: string; readonly run: Source }
}[]

test('an ask is read as the page says, and holds for the node, the run and the origin that were signed', t => {
  for (const { ask, why, signedFor } of asks) {
    const read = parseAsk([ask])
    t.is(typeof read === 'string' ? read : null, why)
    if (typeof read === 'string' || signedFor === undefined) continue
    const { origin, signIn } = read
    if (signIn === undefined) throw new Error('nothing is signed')
    const { name, at, keyId: key, nonce } = signIn
    const node = parseName(signedFor.node)
    const text = { node, run: signedFor.run, at, origin, name, key, nonce }
    t.true(isSignedBy(signIn, text))
    for (const lie of [
      { node: parseName('node-9') },
      { run: 'node-1#0000000000000000' as Source },
      { origin: 'https://other.example' },
      { name: parseName('other') },
      { nonce: 'AAAAAAAAAAAAAAAAAAAAAA' },
    ]) {
      t.false(isSignedBy(signIn, { ...text, ...lie }), JSON.stringify(lie))
    }
  }
})

test('every vector was tried', t => {
  t.deepEqual(untriedOf('relays', vectors), [])
})
