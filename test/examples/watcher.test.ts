import test from 'ava'
import { startSite } from './example.ts'

test('the watcher prints what the sensors say, and that its node is lost', async t => {
  const { cluster, print, run } = await startSite(t, '4.2')
  const watcher = run('watcher', cluster.address(1))
  await watcher.out.find(/ {2}node-1 {2}serves temperature, door$/)
  await watcher.out.find(/ {2}node-1 {2}temperature: 4\.2 °C$/)
  cluster.node(1).fridge?.openDoor()
  await watcher.out.find(/ {2}node-1 {2}door: open$/)
  await print('broken')
  await watcher.out.find(/ {2}node-1 {2}temperature: unavailable, /)
  await cluster.stop(1)
  t.regex(await watcher.out.find(/is lost/), / {2}node-1 {2}is lost: ./)
})

test('the watcher ends by itself when it is interrupted', async t => {
  const { cluster, run } = await startSite(t, '4.2')
  const watcher = run('watcher', cluster.address(1))
  await watcher.out.find(/temperature: 4\.2 °C$/)
  watcher.child.kill('SIGINT')
  t.is(await watcher.exit, 0)
  t.is(watcher.err.text, '')
})
