import { mock } from 'node:test'
import test from 'ava'
import { parseName, subjectOf } from '../../../node/identity/names.ts'
import { Authors } from '../../../node/whitelist/authors.ts'
import { ListReplica } from '../../support/list-replica.ts'
import { client, grantAt, revocationAt, testSource, wishOf } from '../../support/replica-changes.ts'

// What is void is checked in evaluate.test.ts.

const BORIS = parseName('boris')
const [ALPHA, BETA] = [testSource('alpha'), testSource('beta')]

test('an author that is removed again and again costs one look at all that stands', t => {
  const replica = new ListReplica()
  for (let index = 0; index < 50; index += 1) {
    const operator = index % 2 === 0 ? BORIS : parseName('olga')
    replica.accept({ ...grantAt(BETA, 1, { subject: client(`client-${index}`) }), operator })
  }
  const remove = (times: number): number => {
    const looks = mock.method(Authors.prototype, 'isVoid')
    try {
      for (let time = 0; time < times; time += 1) {
        const removal = revocationAt(ALPHA, 1, subjectOf('operator', BORIS))
        const wish = wishOf(`removal ${replica.list.changes}`)
        replica.accept({ ...removal, wish, upTo: new Map() })
      }
      return looks.mock.callCount()
    } finally {
      looks.mock.restore()
    }
  }
  t.true(remove(1) >= 50)
  t.true(remove(20) <= 20)
  t.is([...replica.list.subjects()].filter(([, { grants }]) => grants.length > 0).length, 25)
})
