import test from 'ava'
import type { Member } from '../../../node/gossip/member.ts'
import {
  choosePeers,
  formatPeers,
  MAX_REMEMBERED,
  parsePeers,
  type Acquaintance,
} from '../../../node/gossip/remembered-peers.ts'
import { parseName } from '../../../node/identity/names.ts'
import { NOON, testSource } from '../../support/replica-changes.ts'

function member(name: string, addresses: string[], run = 1): Member {
  return {
    name: parseName(name),
    source: testSource(name, run),
    addresses,
    version: '0.0.0',
    startedAt: NOON + run,
    saidAt: 0,
    links: [],
    certificateRenewFrom: 0,
    certificateEndsAt: 0,
  }
}

const NOBODY: Acquaintance = {
  self: parseName('alpha'),
  members: [],
  linked: new Set(),
  live: new Set(),
  before: [],
  isRemoved: () => false,
}

function chosen(known: Partial<Acquaintance>): string[] {
  return choosePeers({ ...NOBODY, ...known }).map(({ name, address }) => `${name} ${address}`)
}

test('linked peers come first, then those in reach, then the others', t => {
  const members = ['beta', 'gamma', 'delta'].map(name => member(name, [`${name}:1`]))
  t.deepEqual(
    chosen({
      members,
      live: new Set([testSource('gamma'), testSource('delta')]),
      linked: new Set([testSource('delta')]),
    }),
    ['delta delta:1', 'gamma gamma:1', 'beta beta:1'],
  )
})

test('of a node its own latest words count, and what was remembered only where it said none', t => {
  const before = [
    { name: parseName('beta'), address: 'old:1' },
    { name: parseName('gamma'), address: 'gamma:1' },
  ]
  const members = [member('beta', ['first:1'], 1), member('beta', ['second:1'], 2)]
  t.deepEqual(chosen({ members, before }), ['beta second:1', 'gamma gamma:1'])
})

test('neither the node itself is remembered, nor one that was removed', t => {
  const members = [member('alpha', ['alpha:1']), member('beta', ['beta:1'])]
  const before = [{ name: parseName('gamma'), address: 'gamma:1' }]
  t.deepEqual(chosen({ members, before, isRemoved: name => name !== parseName('beta') }), [
    'beta beta:1',
  ])
})

test('a node with many addresses takes no place of another', t => {
  const many = Array.from({ length: 8 }, (_, index) => `beta:${index + 1}`)
  const others = Array.from({ length: MAX_REMEMBERED - 1 }, (_, index) =>
    member(`n${index}`, [`n${index}:1`]),
  )
  const all = chosen({ members: [member('beta', many), ...others] })
  t.is(all.length, MAX_REMEMBERED)
  t.is(all.filter(peer => peer.startsWith('beta ')).length, 1)
})

test('what is written is read back', t => {
  const peers = choosePeers({ ...NOBODY, members: [member('beta', ['[::1]:7443', 'beta:1'])] })
  t.is(peers.length, 2)
  t.deepEqual(parsePeers(formatPeers(peers)), peers)
})

for (const [what, text] of [
  ['no JSON', '{'],
  ['no object', 'null'],
  ['no peers', '{}'],
  ['no list', '{"peers":{}}'],
  [
    'too many',
    JSON.stringify({ peers: Array.from({ length: 31 }, () => ({ name: 'b', address: 'b:1' })) }),
  ],
  ['a name that is none', '{"peers":[{"name":"a b","address":"beta:1"}]}'],
  ['an address that is none', '{"peers":[{"name":"beta","address":"beta"}]}'],
  ['no port', '{"peers":[{"name":"beta","address":"beta:0"}]}'],
  ['a peer that is no object', '{"peers":[null]}'],
] as const) {
  test(`a file with ${what} is not believed`, t => {
    t.is(typeof parsePeers(text), 'string')
  })
}
