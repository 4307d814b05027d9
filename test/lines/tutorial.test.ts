import test from 'ava'
import { MACHINES } from '../documents/tutorial.ts'
import { makeScene, play } from '../support/typed-scene.ts'
import { say } from './lined-cluster.ts'
import { Switchboard } from './switchboard.ts'

test('three machines of a network come together as the tutorial says, and no key is copied', async t => {
  t.timeout(300_000)
  const scene = await makeScene(t)
  delete scene.env['FRIDGE_LISTEN']
  say('make 3 network namespaces, and type docs/tutorial.md in them')
  await using machines = await Switchboard.start(3, 1, scene.folder)
  await play(t, scene, MACHINES, ({ line, below = '' }) => {
    say(`${below}$ ${line}`)
    // Who signs is asked: that needs no network, and a person.
    if (line.startsWith('fridge certs sign')) return undefined
    // The till stands beside the third machine.
    return machines.through(below === 'till' ? 3 : Number(below.slice('machine-'.length)))
  })
})
