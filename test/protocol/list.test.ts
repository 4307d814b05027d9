import test from 'ava'
import { admit } from '../../node/sessions/admission.ts'
import type { Party } from '../../node/sessions/party.ts'
import type { SubjectKind } from '../../node/identity/names.ts'
import { buildWhitelist } from '../../node/whitelist/build.ts'
import { encodeChange, idOf, parseChange, type ChangeId } from '../../node/whitelist/change.ts'
import { entryHash, straySource } from '../../node/whitelist/entry.ts'
import { evaluateLog } from '../../node/whitelist/evaluate.ts'
import { rootOfPath, StateRoot, type StateLeaf } from '../../node/whitelist/state-root.ts'
import { OpenedLog } from '../../node/whitelist/opened-log.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { signatureHolds, signText } from '../../node/identity/signature.ts'
import { client, grantAt, testSource } from '../support/replica-changes.ts'
import {
  certificatesOf,
  interleavings,
  placeName,
  signerOf,
  signersOf,
  WordedChanges,
  type PrintedSignatures,
} from '../vectors/list.ts'
import { NODE_1 } from '../vectors/gossip.ts'
import { withVerdict } from '../vectors/vectors.ts'
import { ALL_VOUCHED } from '../support/vouchers.ts'
import { readProtocol, untriedOf } from '../vectors/parts.ts'

/** PROTOCOL.md against the code, on the list: whoever changes one of the two learns of the other. */

const vectors = readProtocol()

const changes = vectors.lines('changes')

test('the canonical texts of the page are read, and written again to the byte', t => {
  for (const text of changes) {
    const parsed = parseChange(text)
    if (!parsed.ok) return t.fail(parsed.why)
    t.is(encodeChange(parsed.change), text)
  }
  t.pass()
})

interface StateVector {
  readonly leaves: readonly StateLeaf[]
  readonly roots: readonly string[]
  readonly paths: readonly (readonly string[])[]
}

const refusedChanges = vectors.cases('refused-changes')

test('the texts that the page says are no changes, for the reasons that it says', t => {
  for (const lines of refusedChanges) {
    const { said, why } = withVerdict(lines)
    t.deepEqual(parseChange(said.join('\n')), { ok: false, why })
  }
})

test('the root over leaves is that of the page', t => {
  const { leaves, roots } = vectors.json('state') as StateVector
  const state = new StateRoot()
  t.is(state.root(), roots[0] ?? '')
  for (const [index, leaf] of leaves.entries()) {
    state.add(leaf)
    t.is(state.root(), roots[index + 1] ?? '')
  }
})

test('the path of each leaf is that of the page, and leads to the root from this leaf alone', t => {
  const { leaves, roots, paths } = vectors.json('state') as StateVector
  for (const [index, leaf] of leaves.entries()) {
    const state = new StateRoot(leaf.subject)
    for (const one of leaves) state.add(one)
    t.deepEqual(state.path(), { index, path: paths[index] ?? [] })
    for (const other of leaves) {
      const isIt = rootOfPath(other, { index, path: paths[index] ?? [] }, 3) === roots[3]
      t.is(isIt, other === leaf)
    }
  }
})

const mergings = vectors.json('merging') as {
  A?: string[]
  B?: string[]
  stands: string[]
  newest: string[]
}[]

test('changes merge in every order as the page says', t => {
  for (const { A = [], B = [], stands, newest } of mergings) {
    const changes = new WordedChanges({ A, B })
    const names = changes.names()
    const namesOf = (ids: Iterable<string>): string[] =>
      Array.from(ids, id => names.get(id) ?? '').sort()
    for (const order of interleavings(changes.of('A'), changes.of('B'))) {
      const title = `${JSON.stringify({ A, B })} as ${order.map(one => placeName(one.change)).join(' ')}`
      const { grants, revocations } = buildWhitelist(new OpenedLog(order), ALL_VOUCHED).state(
        client('amber'),
      )
      t.deepEqual(namesOf(grants.map(({ id }) => id)), stands, title)
      t.true(namesOf(revocations).join().includes(newest.join()), title)
      const evaluated = evaluateLog(order, ALL_VOUCHED).subjects.get(client('amber'))
      t.deepEqual(namesOf(evaluated?.grants ?? []), stands, title)
      t.deepEqual(namesOf(evaluated?.newest ?? []), newest, title)
    }
  }
})

const admissions = vectors.json('admission') as {
  role: SubjectKind
  isBrowser?: boolean
  isOwn?: boolean
  revoked?: boolean
  grants: { keys?: string[]; [term: string]: unknown }[]
  notAfter?: number
  is: string
  until?: number | null
  sensors?: string[]
  commands?: string[]
  views?: string[]
  isPublic?: boolean
}[]

test('admission decides as the page says', t => {
  const keys = new Map([
    ['own', 'a'.repeat(64)],
    ['other', 'b'.repeat(64)],
  ])
  const source = testSource('A')
  for (const { role, revoked = false, notAfter = 2_000, is, ...expected } of admissions) {
    const { isBrowser = false, isOwn = false, isPublic = false } = expected
    const certified = role === 'origin' || isBrowser ? {} : { fingerprint: '', notAfter }
    const party = { role, keyId: keys.get('own'), isOwn, ...certified } as unknown as Party
    const grants = expected.grants.map((terms, index) => {
      const change = grantAt(source, index + 2, {
        terms: {
          ...terms,
          ...(terms.keys && { keys: terms.keys.map(key => keys.get(key)) }),
        } as object,
      })
      return { id: `grant ${index}` as ChangeId, change }
    })
    const revocations = new Set(revoked ? ['removal' as ChangeId] : [])
    const admission = admit(party, { revocations, grants }, 1_000)
    const title = JSON.stringify(expected)
    t.is(admission.admitted ? 'admitted' : admission.reason, is, title)
    if (!admission.admitted) continue
    const { rights, until } = admission
    t.is(until, expected.until === null ? Infinity : (expected.until ?? 2_000), title)
    t.is(admission.isPublic, isPublic, title)
    t.deepEqual(rights.sensors && [...rights.sensors], expected.sensors, title)
    t.deepEqual(rights.commands && [...rights.commands], expected.commands, title)
    // Where there is a grant, nothing said is nothing allowed.
    const none = grants.length > 0 ? [] : undefined
    t.deepEqual(rights.views && [...rights.views], expected.views ?? none, title)
  }
})

const printed = vectors.json('signatures') as PrintedSignatures

test('hashes, signatures and fingerprints are those of the page', async t => {
  const signers = signersOf(printed, new MemoryStore())
  const operator = signerOf(printed.operator, signers)
  const node = signerOf(printed.node, signers)
  t.is(operator.signer.identity.fingerprint, printed.operator.fingerprint)
  t.is(node.signer.identity.fingerprint, printed.node.fingerprint)
  t.is<string, string>(operator.signer.identity.subject, 'operator/admin')
  t.is<string, string>(node.signer.identity.subject, 'node/node-1')
  for (const [index, { hash, id, signatures }] of printed.entries.entries()) {
    const text = changes[index] ?? ''
    t.is(entryHash(text, certificatesOf(printed)), hash)
    const parsed = parseChange(text)
    t.is<string | false, string>(parsed.ok && idOf({ change: parsed.change, hash }), id)
    t.is(signText(operator.key, 'change', text), signatures[0])
    t.is(signText(node.key, 'entry', hash), signatures[1])
    t.true(signatureHolds(operator.signer.key, 'change', text, signatures[0]))
    t.true(signatureHolds(node.signer.key, 'entry', hash, signatures[1]))
    t.false(signatureHolds(node.signer.key, 'change', hash, signatures[1]))
  }
  t.is<string, string>(straySource(NODE_1, printed.entries[2]?.hash ?? ''), printed.stray)
})

test('every vector of this part is tried', t => {
  t.deepEqual(untriedOf('list', vectors), [])
})
