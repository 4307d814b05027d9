import test from 'ava'
import * as fc from 'fast-check'
import type { ChangeId } from '../../../node/whitelist/change.ts'
import { replaceIds, type RevocationIds } from '../../../node/whitelist/revocation-ids.ts'

const idAt = (index: number): ChangeId => String(index).padStart(43, 'A') as ChangeId

const sorted = (ids: Iterable<ChangeId>): string => [...ids].sort().join(' ')

test('ids become what a plain set becomes, and every version stays what it was', t => {
  const step = fc.record({
    /** Which version is built on: most often the newest. */
    on: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(8) }),
    added: fc.nat(200),
    gone: fc.array(fc.nat(200), { maxLength: 12 }),
  })
  fc.assert(
    fc.property(fc.nat(80), fc.array(step, { minLength: 60, maxLength: 120 }), (size, steps) => {
      const start: RevocationIds = new Set(Array.from({ length: size }, (_, at) => idAt(at)))
      const first = { ids: start, expected: new Set(start) }
      const versions = [first]
      for (const { on, added, gone } of steps) {
        const { ids, expected } = versions.at(-1 - Math.min(on, versions.length - 1)) ?? first
        const [id, left] = [idAt(added), new Set(expected)]
        for (const index of gone) left.delete(idAt(index))
        const next = replaceIds(ids, id, gone.map(idAt))
        versions.push({ ids: next, expected: left.add(id) })
      }
      for (const { ids, expected } of versions) {
        t.is(sorted(ids), sorted(expected))
        t.is(ids.size, expected.size)
        t.true(expected.isSupersetOf(ids) && expected.isSubsetOf(ids))
      }
    }),
    { numRuns: 100, ...(process.env['SEED'] && { seed: Number(process.env['SEED']) }) },
  )
})
