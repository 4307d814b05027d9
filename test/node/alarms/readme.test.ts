import { readFileSync } from 'node:fs'
import test from 'ava'
import { parse } from 'yaml'
import { toJson } from '../../../node/alarms/alarm.ts'
import { parseAlarm } from '../../../node/alarms/parse.ts'
import { nodeConfigSchema } from '../../../node/config/config.ts'

const README = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
const SECTION = /^## Alarms\n([^]*?)^## /m.exec(README)?.[1] ?? ''

function blocksOf(language: string): string[] {
  const blocks = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm')
  return Array.from(SECTION.matchAll(blocks), ([, block = '']) => block)
}

test('the alarms of the README are accepted, with the keys that it leaves out too', t => {
  const blocks = blocksOf('yaml')
  t.is(blocks.length, 2)
  for (const block of blocks) {
    for (const text of [block, block.replaceAll(/^( *)# (\w+: )/gm, '$1$2')]) {
      t.notThrows(() => nodeConfigSchema.parse({ name: 'a', ...(parse(text) as object) }), text)
    }
  }
})

test('an alarm is told as the README shows it', t => {
  const [block = ''] = blocksOf('json')
  const alarm = parseAlarm(JSON.parse(block))
  t.truthy(alarm)
  if (alarm !== undefined)
    t.deepEqual(JSON.parse(toJson({ state: 'raised', alarm })), JSON.parse(block))
})
