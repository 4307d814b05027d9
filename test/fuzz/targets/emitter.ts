import { isDeepStrictEqual } from 'node:util'
import { attachEmitter } from '../../../node/wire/emitter.ts'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import type { Dice } from '../dice.ts'
import { interestingValue } from '../interesting.ts'
import { modelEvents } from '../models/events.ts'
import { framesOf, openStream } from '../session.ts'
import { chunksOf, type Target } from '../target.ts'

const LIMITS = { ...CLIENT_LIMITS, maxLineBytes: 512 }
const ACCEPTS = ['open', 'reading', 'unavailable']

/** Events on a sub-stream: an input is its text. */
export async function openEmitter(): Promise<Target> {
  return {
    name: 'emitter',
    fixedInputs: 1_500,
    maxLineBytes: LIMITS.maxLineBytes,
    generate: sessionOf,
    run: async bytes => {
      const text = bytes.toString('utf8')
      const events: unknown[][] = []
      const { session, stream } = await openStream(CLIENT_LIMITS, (stream, { connection }) => {
        const emitter = attachEmitter(stream, {
          limits: LIMITS,
          accepts: new Set(ACCEPTS),
          onRefused: refusal => connection.refuse(refusal),
        })
        for (const name of ACCEPTS) {
          emitter.on(name, (...values) => {
            events.push([name, ...values])
            emitter.emit('heard', name)
          })
        }
      })
      await session.receive(framesOf(text, chunksOf(Buffer.from(text, 'utf16le'))))
      const { refused } = session
      const expected = modelEvents(text, { ...LIMITS, accepts: ACCEPTS })
      const problem = isDeepStrictEqual({ events, refused }, expected)
        ? await session.problemOfEnd([stream])
        : `${JSON.stringify({ events, refused })} instead of ${JSON.stringify(expected)}`
      return { refused, problem }
    },
  }
}

function sessionOf(dice: Dice): string {
  const events = Array.from({ length: 1 + dice.below(8) }, () => {
    const values = Array.from({ length: dice.pick([0, 1, 2, 3, 16]) }, () =>
      dice.oneIn(4) ? interestingValue(dice) : dice.below(100),
    )
    return [dice.oneIn(40) ? 'error' : dice.pick(ACCEPTS), ...values]
  })
  return events.map(event => `${JSON.stringify(event)}\n`).join('')
}
