import { readFileSync } from 'node:fs'
import test from 'ava'
import { PLANTS as SIMULATED } from '../simulation/plants.ts'
import { PLANTS as FUZZED } from './plants.ts'

test('every bug that is to be planted has its one place in the sources', t => {
  for (const { name, file, find } of [...FUZZED, ...SIMULATED]) {
    const source = readFileSync(new URL(`../../node/${file}`, import.meta.url), 'utf8')
    t.is(source.split(find).length - 1, 1, `${name}: ${file}`)
  }
})
