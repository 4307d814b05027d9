import type { Dice } from '../dice.ts'
import { mutateJsonText } from '../mutate.ts'
import { confirmedFrame, questionFrame, tallyFrame } from './confirmation-frames.ts'
import { memberFrames } from './member-frames.ts'
import { CONTROL, HOSTILE, STREAMS } from './names.ts'
import { packSome } from './packed-frames.ts'
import type { FuzzPeople } from './people.ts'
import { sayOfTrees } from './tree-frames.ts'
import { whitelistFrames } from './whitelist-frames.ts'

/**
 * What a node says that holds genuine keys: all of it signed as it must be, and in one session of
 * three something that its signature does not make true.
 */
export function sessionOf(dice: Dice, people: FuzzPeople): string {
  const liesIn = dice.pick([
    'nothing',
    'whitelist',
    'whitelist',
    'members',
    'members',
    'confirmations',
    'questions',
    'tallies',
    'trees',
    'form',
    'packing',
  ])
  const said = {
    control: controlFrames(dice),
    whitelist: withSync(dice, whitelistFrames(dice, people, liesIn !== 'whitelist')),
    members: withSync(dice, memberFrames(dice, people, liesIn !== 'members')),
  }
  if (liesIn === 'trees' || dice.oneIn(4)) sayOfTrees(dice, said, liesIn !== 'trees')
  if (liesIn === 'confirmations' || dice.oneIn(4)) {
    const frame = confirmedFrame(dice, people, liesIn !== 'confirmations')
    said.whitelist.push(JSON.stringify(frame))
  }
  if (liesIn === 'questions' || dice.oneIn(4)) {
    said.whitelist.push(JSON.stringify(questionFrame(dice, people, liesIn !== 'questions')))
  }
  if (liesIn === 'tallies' || dice.oneIn(4)) {
    said.whitelist.push(JSON.stringify(tallyFrame(dice, liesIn !== 'tallies')))
  }
  if (liesIn === 'form') {
    const frames = said[dice.pick(['control', 'whitelist', 'members'] as const)]
    const at = dice.below(frames.length)
    frames[at] = mutateJsonText(frames[at] ?? '', dice)
  }
  if (liesIn === 'packing' || dice.oneIn(4)) {
    const name = dice.pick(['whitelist', 'members'] as const)
    said[name] = packSome(dice, said[name], liesIn !== 'packing')
  }
  const [hello = '', ...control] = said.control.map(text => data(CONTROL, text))
  const opening = (['whitelist', 'members'] as const).map(meta =>
    line([STREAMS[meta], 'new', { meta, opts: { writable: true, readable: true } }]),
  )
  const others = [
    control,
    said.whitelist.map(text => data(STREAMS.whitelist, text)),
    said.members.map(text => data(STREAMS.members, text)),
  ]
  const session = [hello, ...opening]
  while (others.some(frames => frames.length > 0)) {
    const next = dice.pick(others).shift()
    if (next !== undefined) session.push(next)
  }
  return session.join('')
}

function data(id: string, text: string): string {
  return line([id, 'data', `${text}\n`])
}

function controlFrames(dice: Dice): string[] {
  const events: unknown[] = [['hello', { protocol: 1, source: HOSTILE }]]
  if (dice.oneIn(2)) events.push(['beat'])
  if (dice.oneIn(6)) events.push(['bye', 'leaving', 'the node stops'])
  return events.map(event => JSON.stringify(event))
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

function withSync(dice: Dice, frames: unknown[]): string[] {
  frames.splice(1 + dice.below(frames.length), 0, 'SYNC')
  return frames.map(one => JSON.stringify(one))
}
