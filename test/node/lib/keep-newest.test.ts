import test from 'ava'
import { keepNewest } from '../../../node/lib/keep-newest.ts'

test('the entry that was set the longest ago falls out, and setting one again renews it', t => {
  const map = new Map<string, number>()
  for (const key of ['a', 'b', 'a', 'c']) keepNewest(map, key, map.size, 2)
  t.deepEqual([...map.keys()], ['a', 'c'])
  keepNewest(map, 'a', 7, 2)
  t.deepEqual(
    [...map],
    [
      ['c', 2],
      ['a', 7],
    ],
  )
})
