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

/** A connection with a stream of ours, on which a peer may open streams called `echo`. */
export async function openMux(): Promise<Target> {
  return {
    name: 'mux',
    maxLineBytes: LIMITS.maxLineBytes,
    generate: dice => {
      const ids = [OWN, 'a', 'b1', 'c'.repeat(dice.pick([1, 64, 65]))]
      return Array.from({ length: 1 + dice.below(20) }, (_, index) =>
        frame(dice, [...ids, index.toString(16)]),
      ).join('')
    },
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
          if (stream.meta !== 'echo') return false
          events.push(['open', stream.id])
          watch(stream)
          return true
        },
      })
      const own = session.connection.open('door')
      watch(own)
      await settle()
      const input = Buffer.from(bytes.toString('latin1').replaceAll(OWN, own.id), 'latin1')
      const expected = modelMux(input, { ...LIMITS, own: [own.id], offered: 'echo' })
      await session.receive(chunksOf(input))
      const { refused } = session
      const problem =
        problemOf({ events: [...events], refused }, expected) ??
        (await session.problemOfEnd(streams))
      return { refused, problem }
    },
  }
}

function frame(dice: Dice, ids: readonly string[]): string {
  const id = dice.pick(ids)
  const kind = dice.pick(['new', 'new', 'data', 'data', 'pause', 'resume', 'end', 'close', 'error'])
  const payload = {
    new: [{ meta: dice.oneIn(20) ? 'door' : 'echo', opts: OPTS }],
    data: ['x'.repeat(dice.size(100))],
    error: ['x'.repeat(dice.oneIn(8) ? 1_025 : 3)],
  }[kind]
  return `${JSON.stringify([id, kind, ...(payload ?? [])])}\n`
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
