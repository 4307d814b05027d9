import test from 'ava'
import type { Member } from '../../../node/gossip/member.ts'
import { parseName, type Name, type Source } from '../../../node/identity/names.ts'
import { vitalsPages, type VitalsReport } from '../../../node/operators/vitals.ts'

function member(name: string, vitals?: object): Member {
  return { name: parseName(name), ...(vitals && { vitals }) } as unknown as Member
}

/** A cluster of these members, and all pages of what they say. */
async function pagesOf(live: readonly Member[], gone: readonly Member[] = []) {
  const page = vitalsPages({
    members: {
      live: () => new Map(live.map((one, index) => [`${one.name}#${index}` as Source, one])),
      left: () => new Map(),
      unreachable: () => new Map<Name, Member | undefined>(gone.map(one => [one.name, one])),
    },
  })
  const ask = async (after: unknown): Promise<VitalsReport[]> =>
    (await page([after], () => {}, new AbortController().signal)) as VitalsReport[]
  const pages: VitalsReport[][] = []
  for (let after: Name | null = null; ;) {
    const next = await ask(after)
    const last = next.at(-1)
    if (last === undefined) return { pages, ask }
    pages.push(next)
    after = last.name
  }
}

test('what all nodes say of their fridges comes in pages, in order of their names', async t => {
  const names = Array.from({ length: 450 }, (_, index) => `node-${String(index).padStart(3, '0')}`)
  const { pages } = await pagesOf(names.toReversed().map(name => member(name, { sensors: [] })))
  t.deepEqual(
    pages.map(page => page.length),
    [200, 200, 50],
  )
  t.deepEqual(
    pages.flat().map(({ name }) => String(name)),
    names,
  )
})

test('a page has 256 KiB at most, and one node at least', async t => {
  const vitals = { text: 'x'.repeat(100_000) }
  const { pages } = await pagesOf(['a', 'b', 'c', 'd', 'e'].map(name => member(name, vitals)))
  t.deepEqual(
    pages.map(page => page.length),
    [2, 2, 1],
  )
})

test('of two runs of a node the word of the one that lives is told, and of one that has said nothing none', async t => {
  const live = [member('a', { more: 2 }), member('b')]
  const { pages, ask } = await pagesOf(live, [member('a', { more: 1 }), member('c', { more: 3 })])
  t.deepEqual(pages, [
    [
      { name: parseName('a'), vitals: { more: 2 } },
      { name: parseName('c'), vitals: { more: 3 } },
    ],
  ])
  await t.throwsAsync(ask(7), { code: 'ERR_PROTOCOL' })
})
