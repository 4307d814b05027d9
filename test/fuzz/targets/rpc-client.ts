import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import { connectRpc, type RpcRemote } from '../../../node/wire/rpc.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import type { Dice } from '../dice.ts'
import { interestingValue } from '../interesting.ts'
import { isObject, linesOfText, valueOf } from '../models/lines.ts'
import { framesOf, openStream, settle } from '../session.ts'
import { chunksOf, type Target } from '../target.ts'

const LIMITS = { ...CLIENT_LIMITS, maxLineBytes: 2_048 }
const CALLS = 3
/** Each call hands out a function that hears the answer, and one that hears of progress. */
const HANDED_OUT = 2 * CALLS

/** A client of methods whose server says what it likes: an input is its text. */
export async function openRpcClient(): Promise<Target> {
  return {
    name: 'rpc-client',
    fixedInputs: 1_500,
    maxLineBytes: LIMITS.maxLineBytes,
    generate: sessionOf,
    run: async bytes => {
      const text = bytes.toString('utf8')
      let open = 1
      let progressed = 0
      const { session, stream } = await openStream(CLIENT_LIMITS, (stream, { connection }) => {
        const use = async (remote: RpcRemote): Promise<void> => {
          const [method = 'nothing'] = remote.methods
          const onProgress = (): number => (progressed += 1)
          const calls = Array.from({ length: CALLS }, async () =>
            remote.call(method, [1], { onProgress }),
          )
          await Promise.allSettled(calls)
        }
        const connected = connectRpc(stream, {
          limits: LIMITS,
          clock: new FakeClock(),
          onRefused: refusal => connection.refuse(refusal),
        })
        // However it ends, it must end.
        connected.then(use).then(
          () => (open -= 1),
          () => (open -= 1),
        )
      })
      await session.receive(framesOf(text, chunksOf(Buffer.from(text, 'utf16le'))))
      const { refused } = session
      const isBad = mustRefuse(text)
      const problem =
        (isBad && !refused ? 'what has no valid form was taken' : undefined) ??
        (progressed > text.length ? 'progress that nobody made' : undefined) ??
        (await session.problemOfEnd([stream]))
      await settle()
      return { refused, problem: problem ?? (open === 0 ? undefined : 'a call outlived its end') }
    },
  }
}

/** Whether a server has sent what no state of a client allows. */
function mustRefuse(text: string): boolean {
  const { lines, refused } = linesOfText(text, LIMITS.maxLineBytes)
  let announced = 0
  return (
    refused ||
    lines.some(line => {
      const message = valueOf(line, 32)?.value
      if (!isObject(message) || !Array.isArray(message['arguments'])) return true
      const { method, arguments: values, callbacks = {}, links = [], ...rest } = message
      if (Object.keys(rest).length > 0 || JSON.stringify(links) !== '[]') return true
      if ((values as unknown[]).length > 16) return true
      if (typeof callbacks !== 'object' || callbacks === null) return true
      if (method === 'methods') return (announced += 1) > 1 || !isObject((values as unknown[])[0])
      if (Object.keys(callbacks).length > 0) return true
      if (method === 'cull') return false
      const isId = Number.isInteger(method) && (method as number) >= 0
      return !isId || (method as number) >= HANDED_OUT
    })
  )
}

function sessionOf(dice: Dice): string {
  const methods = { probe: '[Function]', other: '[Function]' }
  const callbacks = { 0: ['0', 'probe'], 1: ['0', 'other'] }
  const messages: unknown[] = [{ method: 'methods', arguments: [methods], callbacks, links: [] }]
  for (let left = dice.below(8); left > 0; left -= 1) {
    const answer = dice.oneIn(4) ? ['it is off'] : [null, dice.below(9)]
    const values = dice.oneIn(5) ? [interestingValue(dice)] : answer
    const callbacks = dice.oneIn(12) ? { 2: ['0'] } : {}
    messages.push({ method: dice.below(HANDED_OUT), arguments: values, callbacks, links: [] })
  }
  return messages.map(message => `${JSON.stringify(message)}\n`).join('')
}
