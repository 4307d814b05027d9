import test from 'ava'
import { HangUps } from '../../cli/hang-ups.ts'

/** What SIGHUP means, before and after a command has begun. */

function listen(): { hangUps: HangUps; said: string[]; reload: () => void } {
  const said: string[] = []
  return {
    said,
    hangUps: new HangUps(() => said.push('stop')),
    reload: () => said.push('reload'),
  }
}

test('a command that reads files again does so at each', t => {
  const { hangUps, said, reload } = listen()
  hangUps.subscribe(reload)
  hangUps.begin()
  hangUps.hear(false)
  hangUps.hear(false)
  t.deepEqual(said, ['reload', 'reload'])
})

test('one that comes before the command is loaded ends nothing: it is a reload', t => {
  const { hangUps, said, reload } = listen()
  hangUps.hear(false)
  t.deepEqual(said, [])
  hangUps.subscribe(reload)
  hangUps.begin()
  t.deepEqual(said, ['reload'])
})

test('a command that reads nothing again is stopped, also by one that came early', t => {
  const early = listen()
  early.hangUps.hear(false)
  early.hangUps.begin()
  t.deepEqual(early.said, ['stop'])
  const late = listen()
  late.hangUps.begin()
  late.hangUps.hear(false)
  t.deepEqual(late.said, ['stop'])
})

test('a terminal that is closed stops everything at once', t => {
  const { hangUps, said, reload } = listen()
  hangUps.hear(true)
  hangUps.subscribe(reload)
  hangUps.hear(true)
  t.deepEqual(said, ['stop', 'stop'])
})

test('a listener that is gone hears nothing more', t => {
  const { hangUps, said, reload } = listen()
  hangUps.begin()
  hangUps.subscribe(reload)[Symbol.dispose]()
  hangUps.hear(false)
  t.deepEqual(said, ['stop'])
})
