import test from 'ava'
import { Invitation } from '../../node/client/operator/invitation.ts'
import { parseName, type KeyId } from '../../node/identity/names.ts'
import { readProtocol, untriedOf } from '../vectors/parts.ts'

/** PROTOCOL.md against the code, on pages: whoever changes one of the two learns of the other. */

type Field = 'secret' | 'origin' | 'name' | 'key' | 'id' | 'proof'

const vectors = readProtocol()
const printed = vectors.json('invitation') as { [field in Field]: string }

test('an invitation has the id and the proof of the page', t => {
  const { secret, origin, name, key, id, proof } = printed
  const invitation = new Invitation(parseName(name), Buffer.from(secret, 'base64url'))
  t.is(invitation.id, id)
  t.is(invitation.proofFor(origin, key as KeyId), proof)
  t.true(invitation.isProvenBy({ origin, key: key as KeyId, proof }))
})

test('every vector of this part is tried here', t => {
  t.deepEqual(untriedOf('pages', vectors), [])
})
