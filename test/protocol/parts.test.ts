import { globSync, readFileSync } from 'node:fs'
import test from 'ava'
import { PARTS, readProtocol } from '../vectors/parts.ts'

test('each vector of the page is in one part', t => {
  t.deepEqual(Object.values(PARTS).flat().sort(), readProtocol().unused.sort())
})

test('each part is a file here, which asks whether all of its vectors were tried', t => {
  const cwd = import.meta.dirname
  const files = globSync('*.test.ts', { cwd, exclude: ['parts.test.ts'] })
  const asked = files.map(file => {
    const source = readFileSync(`${cwd}/${file}`, 'utf8')
    return /t\.deepEqual\(untriedOf\('(\w+)', vectors\), \[\]\)/.exec(source)?.[1] ?? ''
  })
  t.deepEqual(
    asked,
    files.map(file => file.replace('.test.ts', '')),
  )
  t.deepEqual(asked.sort(), Object.keys(PARTS).sort())
})
