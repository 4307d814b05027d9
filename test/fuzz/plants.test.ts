import { readFileSync } from 'node:fs'
import test from 'ava'
import { CLUSTER_PLANTS } from '../simulation/cluster/plants.ts'
import { NEWCOMER_PLANTS } from '../simulation/newcomers/plants.ts'
import { PLANTS as SIMULATED } from '../simulation/plants.ts'
import { PLANTS as FUZZED } from './plants.ts'

test('every bug that is to be planted has its one place in the sources', t => {
  for (const { name, file, find } of [
    ...FUZZED,
    ...SIMULATED,
    ...CLUSTER_PLANTS,
    ...NEWCOMER_PLANTS,
  ]) {
    const source = readFileSync(new URL(`../../node/${file}`, import.meta.url), 'utf8')
    t.is(source.split(find).length - 1, 1, `${name}: ${file}`)
  }
})
