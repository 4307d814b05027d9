import test from 'ava'
import { importsOf, usesGlobal } from './imports.ts'

test('imports are found however they are written, and nothing else is', t => {
  const source = `
    import a from 'a'
    import type { B } from "b" // from 'nowhere'
    import {
      c, // from 'nowhere'
    } from 'c'
    import 'd'
    export * from 'e'
    export { type F } from 'f'
    const g = await import('g')
    type H = import('h').H
    const i = createRequire(import.meta.url)('i')
    /* import 'nowhere' */
    const text = "import 'nowhere'", pattern = /'from"\`/, half = 1 / 2
    const template = \`import 'nowhere' \${[\`\${'}'}\`, await import('j')]} from 'nowhere'\`
    Array.from('nowhere')
    lookUp.import.meta.url
  `
  t.deepEqual(importsOf(source), 'a b c d e f g h i j'.split(' '))
  t.throws(() => importsOf('import(path)'), { message: 'an import names no literal text' })
  t.throws(() => importsOf("const never = 'ends"), { message: 'a text has no end' })
  t.true(usesGlobal('process.exit()', 'process'))
  t.false(usesGlobal("child.process // process\n'process'", 'process'))
})
