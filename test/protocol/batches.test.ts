import test from 'ava'
import { readBatch } from '../../node/client/operator/batch.ts'
import { parseName, type Subject } from '../../node/identity/names.ts'
import { signatureHolds, signText } from '../../node/identity/signature.ts'
import { readRequests } from '../../node/operators/batches.ts'
import { encodeChange } from '../../node/whitelist/change.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { signerOf, signersOf, type PrintedSignatures } from '../vectors/list.ts'
import { readProtocol, untriedOf } from '../vectors/parts.ts'

/** PROTOCOL.md against the code, on changes that are made together. */

const vectors = readProtocol()

interface BatchVector {
  readonly proposeBatch: readonly {
    readonly kind: 'revocation'
    readonly subject: Subject
    readonly wish: string
  }[]
  readonly answer: { readonly texts: readonly string[]; readonly nodeCertificate: string }
  readonly commitBatch: readonly string[]
}

const { proposeBatch, answer, commitBatch } = vectors.json('batch') as BatchVector
const printed = vectors.json('signatures') as PrintedSignatures
const operator = signerOf(printed.operator, signersOf(printed, new MemoryStore()))
const reading = {
  node: parseName('node-1'),
  operator: operator.signer.identity,
  now: 1_767_268_800_000,
}
const asked = proposeBatch.map(({ wish: id, ...wish }) => ({ wish, id }))

test('what an operator asks for in the batch of the page is read', t => {
  const requests = readRequests(proposeBatch, parseName('admin'))
  t.deepEqual(
    requests.map(({ operator: _operator, ...request }) => request),
    [...proposeBatch],
  )
})

test('the texts of the batch of the page stand behind each other, and are signed as it says', t => {
  const changes = readBatch(answer, asked, reading)
  t.deepEqual(changes.map(encodeChange), [...answer.texts])
  t.deepEqual(
    answer.texts.map(text => signText(operator.key, 'change', text)),
    [...commitBatch],
  )
  for (const [index, text] of answer.texts.entries()) {
    t.true(signatureHolds(operator.signer.key, 'change', text, commitBatch[index] ?? ''))
  }
})

test('attack: in another order, under another certificate or of others these texts are not signed', t => {
  const { texts, nodeCertificate } = answer
  const refusal = { code: 'ERR_PROTOCOL' }
  const read = (one: unknown, wishes = asked): unknown => readBatch(one, wishes, reading)
  t.throws(() => read({ texts: texts.toReversed(), nodeCertificate }), refusal)
  t.throws(() => read({ texts: texts.toReversed(), nodeCertificate }, asked.toReversed()), refusal)
  t.throws(() => read({ texts, nodeCertificate: printed.operator.fingerprint }), refusal)
  t.throws(() => read({ texts: [...texts, texts[1]], nodeCertificate }), refusal)
  t.throws(() => read(answer, asked.slice(0, 1)), refusal)
  t.throws(() => read({ texts: [], nodeCertificate }), refusal)
})

test('every part of the page on batches is tried here', t => {
  t.deepEqual(untriedOf('batches', vectors), [])
})
