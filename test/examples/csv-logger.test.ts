import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { startSite } from './example.ts'

test('the logger appends each event as a row, and never a second head', async t => {
  const { cluster, print, run } = await startSite(t, '-4.25')
  const file = join(await makeTestFolder(t), 'fridge.csv')
  const logger = run('csv-logger', file)
  await logger.out.find(/,node-1,door,close,$/)
  cluster.node(1).fridge?.openDoor()
  await logger.out.find(/^\d{4}-\d\d-\d\dT[\d:.]+Z,node-1,door,open,$/)
  await logger.out.find(/,node-1,temperature,reading,-4\.25$/)
  await print('broken')
  await logger.out.find(/,node-1,temperature,unavailable,".+"$/)
  logger.child.kill('SIGINT')
  t.is(await logger.exit, 0)
  t.is(logger.err.text, '')
  const text = await readFile(file, 'utf8')
  t.is(text, `${logger.out.text}\n`)
  t.true(text.startsWith('time,node,sensor,event,value\n'))

  const again = run('csv-logger', file)
  await again.out.find(/,node-1,door,open,$/)
  t.regex(again.out.all[0] ?? '', /,node-1,,connected,$/)
  await cluster.stop(1)
  await again.out.find(/,node-1,,lost,".+"$/)
})
