import test from 'ava'
import { parseName, sourceOf, type Source } from '../../../node/identity/names.ts'
import { headsFrame, parseHeads } from '../../../node/whitelist/heads.ts'
import type { Head } from '../../../node/whitelist/change.ts'
import { PEER_LIMITS } from '../../../node/wire/limits.ts'

const HASH = 'h'.repeat(43)

function headsOf(count: number): [Source, Head][] {
  const name = parseName('n'.repeat(64))
  return Array.from({ length: count }, (_, index) => [
    sourceOf(name, index.toString(16).padStart(16, '0')),
    { sequence: Number.MAX_SAFE_INTEGER, hash: HASH },
  ])
}

test('a frame tells the newest entry of each source', t => {
  const heads = headsOf(3)
  t.deepEqual(parseHeads(headsFrame({ heads: () => heads })), new Map(heads))
})

test('of as many sources as a digest may name the latest are told, in a line that a peer takes', t => {
  const heads = headsOf(20_000)
  const frame = headsFrame({ heads: () => heads })
  const line = JSON.stringify(['0'.repeat(16), 'data', `${JSON.stringify(frame)}\n`])
  t.true(line.length < PEER_LIMITS.maxLineBytes, `${line.length} bytes`)
  const [last] = heads.at(-1) ?? []
  t.true(parseHeads(frame)?.has(last as Source))
})
