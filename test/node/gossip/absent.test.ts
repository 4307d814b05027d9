import test from 'ava'
import { absentNodes, type Absence } from '../../../node/gossip/absent.ts'
import type { Member } from '../../../node/gossip/member.ts'
import { nodeOf, parseName, type Name, type Source } from '../../../node/identity/names.ts'
import { testSource } from '../../support/replica-changes.ts'

/** Which nodes are absent, and how they went. */

const BETA = parseName('beta')
const FIRST = testSource('beta', 1)
const SECOND = testSource('beta', 2)

function memberOf(source: Source, startedAt: number, left = false): Member {
  return { name: nodeOf(source), source, startedAt, ...(left && { left }) } as Member
}

function absent(of: Partial<Absence>): { unreachable: Name[]; left: Name[] } {
  const { unreachable, left } = absentNodes({
    members: [],
    live: new Set(),
    alsoKnown: [],
    isRemoved: () => false,
    isForgotten: () => false,
    ...of,
  })
  return { unreachable: [...unreachable.keys()], left: [...left.keys()] }
}

test('a node that is gone without a word is out of reach, one that said so has left', t => {
  t.deepEqual(absent({ members: [memberOf(FIRST, 1)] }), { unreachable: [BETA], left: [] })
  t.deepEqual(absent({ members: [memberOf(FIRST, 1, true)] }), { unreachable: [], left: [BETA] })
})

test('the latest run of a node counts', t => {
  const members = [memberOf(SECOND, 2), memberOf(FIRST, 1, true)]
  t.deepEqual(absent({ members }), { unreachable: [BETA], left: [] })
  const back = [memberOf(FIRST, 1), memberOf(SECOND, 2, true)]
  t.deepEqual(absent({ members: back }), { unreachable: [], left: [BETA] })
})

test('a node that can be reached is not absent, whatever its earlier runs have said', t => {
  const members = [memberOf(FIRST, 1, true), memberOf(SECOND, 2)]
  t.deepEqual(absent({ members, live: new Set([BETA]) }), { unreachable: [], left: [] })
})

test('a node of which only the name is known is out of reach', t => {
  t.deepEqual(absent({ alsoKnown: [BETA] }), { unreachable: [BETA], left: [] })
})

test('a removed node is neither', t => {
  const members = [memberOf(FIRST, 1)]
  t.deepEqual(absent({ members, isRemoved: () => true }), { unreachable: [], left: [] })
})

test('a forgotten node is neither, by all the runs that are known of it', t => {
  const asked: (readonly Source[])[] = []
  const isForgotten: Absence['isForgotten'] = (_name, runs) => asked.push(runs) > 0
  const members = [memberOf(FIRST, 1), memberOf(SECOND, 2)]
  t.deepEqual(absent({ members, isForgotten }), { unreachable: [], left: [] })
  t.deepEqual(asked, [[FIRST, SECOND]])
})
