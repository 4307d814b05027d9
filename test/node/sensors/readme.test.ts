import { readFileSync } from 'node:fs'

import test from 'ava'
import { parse } from 'yaml'

import { sensorsConfig } from '../../../node/sensors/registry.ts'

const README = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')

/** The YAML of a section, block by block. */
function blocksOf(section: string): string[] {
  const text = new RegExp(`^## ${section}\n([^]*?)^## `, 'm').exec(README)?.[1] ?? ''
  return Array.from(text.matchAll(/^```yaml\n([^]*?)^```/gm), ([, block = '']) => block)
}

/** A block with every key that it shows as a comment. */
function withComments(block: string): string {
  return block.replaceAll(/^( *)# (\w+: )(.*?)(?: {2,}.*)?$/gm, '$1$2$3')
}

test('the sensors of the README are accepted, with the keys that it leaves out too', t => {
  const blocks = blocksOf('Real sensors')
  t.is(blocks.length, 5)
  for (const block of blocks) {
    for (const text of [block, withComments(block)]) {
      const { sensors } = parse(text) as { sensors: unknown }
      t.notThrows(() => sensorsConfig.parse(sensors), text)
    }
  }
  t.true(withComments(blocks.join('')).includes('\n    calibratedUntil: 2027-03-31\n'))
})
