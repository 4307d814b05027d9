import test from 'ava'
import { makeTestCerts } from '../support/certs.ts'
import { runCommand, type IoOptions } from '../support/cli.ts'

test('an issuing key of a node that the folder does not know has to be meant', async t => {
  const certs = await makeTestCerts(t, { nodes: ['node-1'] })
  const make = async (name: string, options: IoOptions = {}, ...flags: string[]) =>
    runCommand(['certs', 'issuing-key', name, '--certs', certs.dir, ...flags], options)
  const misspelt = await make('nod-1')
  t.is(misspelt.status, 2)
  t.regex(misspelt.err, /holds nothing of a node nod-1; did you mean node-1\?\n/)
  t.regex(misspelt.err, /to mend it: .*fridge certs issuing-key nod-1 --force --certs /)
  const asked: string[] = []
  const answer = (isMeant: boolean) => ({
    confirm: async (question: string) => {
      asked.push(question)
      return isMeant
    },
  })
  t.is((await make('cellar', answer(false))).status, 2)
  t.regex(asked[0] ?? '', /holds nothing of a node cellar\. Make an issuing key of cellar all the/)
  t.is((await make('nod-1', {}, '--force')).status, 0)
  t.is((await make('cellar', answer(true))).status, 0)
  t.is((await make('node-1', answer(false))).status, 0)
  t.is(asked.length, 2)
})
