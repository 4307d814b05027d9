import { isDeepStrictEqual } from 'node:util'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import { serveRpc, type RpcMethod } from '../../../node/wire/rpc.ts'
import type { Dice } from '../dice.ts'
import { interestingValue } from '../interesting.ts'
import { modelCalls, type ModelCall } from '../models/calls.ts'
import { framesOf, openStream, type Session } from '../session.ts'
import { chunksOf, type Target } from '../target.ts'

const LIMITS = { ...CLIENT_LIMITS, maxLineBytes: 2_048 }
const METHODS = ['echo', 'rejects', 'tells', 'hangs']
const F = '[Function]'

type Called = Pick<ModelCall, 'method' | 'values'>

/** Methods served on a sub-stream: an input is its text. */
export async function openRpc(): Promise<Target> {
  return {
    name: 'rpc',
    fixedInputs: 1_500,
    maxLineBytes: LIMITS.maxLineBytes,
    generate: sessionOf,
    run: async bytes => {
      const text = bytes.toString('utf8')
      const called: Called[] = []
      let hanging = 0
      let most = 0
      const { session, stream } = await openStream(CLIENT_LIMITS, (stream, { connection }) => {
        const methods = methodsOf(called, change => {
          hanging += change
          most = Math.max(most, hanging)
        })
        serveRpc(stream, methods, {
          limits: LIMITS,
          onRefused: refusal => connection.refuse(refusal),
        })
      })
      await session.receive(framesOf(text, chunksOf(Buffer.from(text, 'utf16le'))))
      const { refused } = session
      const expected = modelCalls(text, { ...LIMITS, methods: METHODS })
      const problem =
        (refused === expected.refused ? undefined : `refused: ${refused}`) ??
        problemOfCalls(called, expected.calls) ??
        (refused ? undefined : problemOfAnswers(session, expected.calls)) ??
        (await session.problemOfEnd([stream])) ??
        (most <= LIMITS.maxPendingCalls ? undefined : `${most} calls at once`) ??
        (hanging === 0 ? undefined : `${hanging} calls outlived their connection`)
      return { refused, problem }
    },
  }
}

function methodsOf(called: Called[], hang: (change: number) => void): Map<string, RpcMethod> {
  const tell =
    (method: string, run: RpcMethod): RpcMethod =>
    async (values, progress, signal) => {
      called.push({ method, values })
      return run(values, progress, signal)
    }
  return new Map([
    ['echo', tell('echo', async values => values)],
    ['rejects', tell('rejects', () => Promise.reject(new Error('it is off')))],
    [
      'tells',
      tell('tells', async (values, progress) => {
        progress(values)
        return 'told'
      }),
    ],
    [
      'hangs',
      tell('hangs', async (_values, _progress, signal) => {
        hang(1)
        await new Promise(resolve => {
          signal.addEventListener('abort', resolve)
        })
        hang(-1)
      }),
    ],
  ])
}

/** Past 32 calls at once the next ones are answered without being made. */
function problemOfCalls(
  called: readonly Called[],
  expected: readonly ModelCall[],
): string | undefined {
  const wanted = expected.map(({ method, values }) => ({ method, values }))
  const isMade =
    expected.length <= LIMITS.maxPendingCalls
      ? isDeepStrictEqual(called, wanted)
      : called.length >= LIMITS.maxPendingCalls && called.length <= expected.length
  return isMade ? undefined : `${JSON.stringify(called)} instead of ${JSON.stringify(wanted)}`
}

/** Each call is answered once, but for those that wait. */
function problemOfAnswers({ socket }: Session, expected: readonly ModelCall[]): string | undefined {
  const answered = socket.sent
    .split('\n')
    .filter(line => line.includes('"data"'))
    .map(line => JSON.parse((JSON.parse(line) as string[])[2] ?? '') as { method: unknown })
    .map(({ method }) => method)
  const count = (id: number): number => answered.filter(method => method === id).length
  const wanted = expected.filter(({ method }) => method !== 'hangs')
  const silent = wanted.find(({ answer }) => count(answer) === 0)
  return silent === undefined ? undefined : `no answer to call ${silent.answer}`
}

function sessionOf(dice: Dice): string {
  const messages: unknown[] = []
  const announced = dice.below(6)
  let id = 0
  for (let left = dice.pick([1, 2, 3, 5, 40]); left > 0; left -= 1) {
    if (messages.length === announced) messages.push(announcement(dice, id))
    const value = dice.oneIn(5) ? interestingValue(dice) : dice.below(40)
    const isTold = dice.oneIn(3)
    const many = dice.oneIn(20) ? dice.pick([14, 15, 16]) : dice.below(3)
    const values = [...Array.from({ length: many }, () => value), ...(isTold ? [F] : []), F]
    const last = values.length - 1
    const callbacks = { ...(isTold && { [id + 1]: [String(last - 1)] }), [id]: [String(last)] }
    const method = dice.oneIn(2) ? dice.below(METHODS.length) : dice.pick(METHODS)
    if (dice.oneIn(15)) messages.push({ method: 'cull', arguments: [dice.below(6)] })
    else messages.push({ method, arguments: values, callbacks, links: [] })
    id += dice.pick([0, 1, 2, 2, 2, 30])
  }
  return messages.map(message => `${JSON.stringify(message)}\n`).join('')
}

/** A client that serves methods itself; now and then it says that they are where nothing is. */
function announcement(dice: Dice, first: number): unknown {
  if (dice.oneIn(10))
    return { method: 'methods', arguments: [{}], callbacks: interestingValue(dice) }
  // Not a literal: there `__proto__` would be no key.
  const methods = JSON.parse(
    `{"a":"${F}","b":{"c":"${F}","list":["${F}","${F}"]},"d":4,"__proto__":"${F}"}`,
  ) as unknown
  const paths = [
    ['0', 'a'],
    ['0', 'b', 'c'],
    [0, 'b', 'list', 1],
  ]
  const wrong = [['0'], ['0', 'd'], ['0', 'b'], ['0', 'b', 'list', 'length'], ['0', '__proto__']]
  const inherited = [
    ['0', 'toString'],
    ['0', 'b', 'constructor', 'name'],
    ['0', 'x'],
    ['0', 'a', '0'],
  ]
  const count = dice.oneIn(10) ? dice.pick([31, 32, 33]) : dice.below(4)
  const callbacks = Array.from({ length: count }, (_, index) => [
    first + index,
    dice.pick(count < 31 && dice.oneIn(10) ? [...wrong, ...inherited] : paths),
  ])
  const all = Object.fromEntries(callbacks) as unknown
  return { method: 'methods', arguments: [methods], callbacks: all, links: [] }
}
