import { readFile } from 'node:fs/promises'
import test from 'ava'
import { objectionToNode } from '../../cli/node-version.ts'

test('a Node.js that lacks what is needed is named, with what mends it', async t => {
  for (const version of ['18.20.8', '20.20.2', '22.21.0', '24.11.1']) {
    t.regex(
      objectionToNode(version) ?? '',
      new RegExp(`^fridge: this is Node.js ${version}`),
      version,
    )
    t.regex(objectionToNode(version) ?? '', /\n {2}to mend it: /)
  }
  for (const version of ['24.12.0', '24.20.0', '25.0.0', '26.1.0']) {
    t.is(objectionToNode(version), undefined, version)
  }
  const { engines } = JSON.parse(
    await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { engines: { node: string } }
  const oldest = engines.node.replace('>=', '')
  t.is(objectionToNode(`${oldest}.0`), undefined)
})
