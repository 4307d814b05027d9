import test from 'ava'
import { parseName, sourceOf, type Source } from '../../../node/identity/names.ts'
import { headsFrames, parseHeads } from '../../../node/whitelist/heads.ts'
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

test('frames tell the newest entry of each source', t => {
  const heads = headsOf(3)
  const frames = [...headsFrames({ heads: () => heads })]
  t.is(frames.length, 1)
  t.deepEqual(parseHeads(frames[0] ?? {}), new Map(heads))
  t.deepEqual([...headsFrames({ heads: () => [] })], [])
})

test('however many sources there are, all are told, in lines that a peer takes', t => {
  const heads = headsOf(20_001)
  const told = new Map<Source, Head>()
  for (const frame of headsFrames({ heads: () => heads })) {
    const line = JSON.stringify(['0'.repeat(16), 'data', `${JSON.stringify(frame)}\n`])
    t.true(line.length < PEER_LIMITS.maxLineBytes, `${line.length} bytes`)
    for (const [source, head] of parseHeads(frame) ?? []) told.set(source, head)
  }
  t.deepEqual(told, new Map(heads))
})
