import { isDeepStrictEqual } from 'node:util'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import type { MuxStream } from '../../../node/wire/mux.ts'
import type { Dice } from '../dice.ts'
import { modelMux, type MuxEvent, type MuxModel } from '../models/mux.ts'
import { Session, settle } from '../session.ts'
import { chunksOf, type Target } from '../target.ts'

const LIMITS = { ...CLIENT_LIMITS, maxLineBytes: 2_048 }
const OPTS = { writable: true, readable: true }

/** Stands in inputs for the id that our end draws for the stream that it opens. */
const OWN = 'd00d00d00d00'

const isOffered = (name: string): boolean => name.startsWith('echo')

/** A connection with a stream of ours, on which a peer may open streams called `echo…`. */
export async function openMux(): Promise<Target> {
  return {
    name: 'mux',
    fixedInputs: 1_500,
    maxLineBytes: LIMITS.maxLineBytes,
    generate: sessionOf,
    run: async bytes => {
      const events: MuxEvent[] = []
      const streams: MuxStream[] = []
      const watch = (stream: MuxStream): void => {
        streams.push(stream)
        stream.onText(text => {
          events.push(['text', stream.id, text])
          stream.write('ok')
        })
        stream.onClose(() => events.push(['close', stream.id]))
      }
      const session: Session = new Session({
        limits: LIMITS,
        onStream: stream => {
          if (!isOffered(stream.meta)) return false
          events.push(['open', stream.id, stream.meta])
          watch(stream)
          return true
        },
      })
      const own = session.connection.open('door')
      watch(own)
      await settle()
      const input = Buffer.from(bytes.toString('latin1').replaceAll(OWN, own.id), 'latin1')
      const expected = modelMux(input, { ...LIMITS, own: [own.id], isOffered })
      await session.receive(chunksOf(input))
      const { refused } = session
      const problem =
        problemOf({ events: [...events], refused }, expected) ??
        (await session.problemOfEnd(streams))
      return { refused, problem }
    },
  }
}

/** Frames as a peer may send them; one in fifty is out of place. */
function sessionOf(dice: Dice): string {
  const open = [OWN]
  const ids = ['a', 'b1', 'c'.repeat(dice.pick([63, 64, 65])), '0', 'ff']
  const frames = Array.from({ length: 1 + dice.below(20) }, () => {
    if (dice.oneIn(50)) return [dice.pick(['1', ...ids]), dice.pick(['data', 'new', 'stop']), 'x']
    const id = ids.pop()
    if (id !== undefined && dice.oneIn(3)) {
      open.push(id)
      return [id, 'new', { meta: 'echo'.padEnd(dice.pick([4, 4, 4, 4, 64, 65]), '-'), opts: OPTS }]
    }
    const kind = dice.pick(['data', 'data', 'data', 'pause', 'resume', 'end', 'close', 'error'])
    const text = 'x'.repeat(dice.pick([0, 1, 10, 1_023, 1_024]))
    return [dice.pick(open), kind, ...(kind === 'data' || kind === 'error' ? [text] : [])]
  })
  return frames.map(frame => `${JSON.stringify(frame)}\n`).join('')
}

/** A refusal closes all streams that are open then; nothing else may happen behind it. */
function problemOf(heard: MuxModel, expected: MuxModel): string | undefined {
  const rest = heard.events.slice(expected.events.length)
  const holds =
    heard.refused === expected.refused &&
    isDeepStrictEqual(heard.events.slice(0, expected.events.length), expected.events) &&
    rest.every(([what]) => heard.refused && what === 'close')
  if (holds) return undefined
  return `${JSON.stringify(heard)} instead of ${JSON.stringify(expected)}`
}
