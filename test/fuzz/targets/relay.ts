import { isDeepStrictEqual } from 'node:util'
import { parseName } from '../../../node/identity/names.ts'
import type { SensorInfo } from '../../../node/events/told-sensor.ts'
import {
  parseFarewell,
  parseFarHello,
  parsePartStream,
  parseRelayedEvent,
  parseToldSensors,
  TELLING_LIMITS,
} from '../../../node/relays/relay-frames.ts'
import { parseJson } from '../../../node/wire/json.ts'
import type { Dice } from '../dice.ts'
import { interestingValue } from '../interesting.ts'
import { modelRelay } from '../models/relay.ts'
import type { Target } from '../target.ts'

const FAR = parseName('node-2')
const { maxDepth } = TELLING_LIMITS

/** What a far node says to one that reads it for pages: an input is one of its words a line. */
export async function openRelay(): Promise<Target> {
  return {
    name: 'relay',
    fixedInputs: 2_500,
    maxLineBytes: 4_096,
    generate: sessionOf,
    run: async bytes => {
      const text = bytes.toString('utf8')
      const outcome = hear(text)
      const expected = modelRelay(text, maxDepth)
      const problem = isDeepStrictEqual(outcome, expected)
        ? undefined
        : `${JSON.stringify(outcome)} instead of ${JSON.stringify(expected)}`
      return { refused: outcome.refused, problem }
    },
  }
}

function hear(text: string): { taken: unknown[]; refused: boolean } {
  const taken: unknown[] = []
  let sensor: SensorInfo | undefined
  for (const line of text.split('\n')) {
    const words = parseJson(line, maxDepth)
    if (!Array.isArray(words)) return { taken, refused: true }
    const [what, ...values] = words as unknown[]
    const found = take(what, values, sensor)
    if (found === undefined) return { taken, refused: true }
    if (what === 'rights') sensor = (found as SensorInfo[])[0]
    taken.push(found)
  }
  return { taken, refused: false }
}

function take(what: unknown, values: readonly unknown[], sensor: SensorInfo | undefined): unknown {
  switch (what) {
    case 'hello': {
      const [hello, ...more] = values
      if (typeof hello !== 'object' || hello === null || Array.isArray(hello)) return undefined
      const found = parseFarHello(hello as Record<string, unknown>, FAR)
      return more.length > 0 || typeof found === 'string' ? undefined : found
    }
    case 'rights':
      return parseToldSensors(values)
    case 'bye':
      return parseFarewell(values)
    case 'stream':
      // A stream's name is a text by the time that it gets there.
      return typeof values[0] === 'string' ? parsePartStream(values[0]) : undefined
    default:
      return typeof what === 'string' && sensor !== undefined
        ? parseRelayedEvent(sensor, what, values)
        : undefined
  }
}

const HELLO = { node: 'node-2', run: 'node-2#fedcba9876543210', version: '1.0.0', time: 0 }
const SEALED = { channel: 'ward', domain: 'test.fridge', epoch: 'abcdefghijk' }

function sessionOf(dice: Dice): string {
  const kind = dice.pick(['door', 'temperature', 'humidity'])
  const isSealed = dice.oneIn(3)
  const count = dice.pick([1, 1, 2, dice.oneIn(12) ? 33 : 3])
  // Of too many each by itself is right: else what is wrong with one would be found first.
  const isLong = count > 3
  const sensors = Array.from({ length: count }, (_, at) => ({
    name: !isLong && dice.oneIn(20) ? dice.pick(['Air', 'air', '', 'constructor']) : `s${at}`,
    kind: at === 0 || isLong ? kind : dice.pick(['door', 'weight', 'humidity']),
    ...(isSealed && { sealed: !isLong && dice.oneIn(8) ? interestingValue(dice) : SEALED }),
  }))
  const events = Array.from({ length: dice.below(6) }, () => eventOf(dice, kind, isSealed))
  const hello = dice.oneIn(10) ? { ...HELLO, ...lieOf(dice) } : HELLO
  const words = [['hello', hello], ['stream', streamOf(dice)], ['rights', { sensors }], ...events]
  if (dice.oneIn(3)) words.push(['bye', dice.pick(['revoked', 'x'.repeat(80)]), 'because'])
  return words.map(word => JSON.stringify(word)).join('\n')
}

function lieOf(dice: Dice): object {
  const field = dice.pick(['node', 'run', 'version', 'time'])
  return { [field]: dice.pick([interestingValue(dice), 'node-3#fedcba9876543210', 'x'.repeat(65)]) }
}

function streamOf(dice: Dice): string {
  return dice.oneIn(12) ? dice.pick(['0/air', '1/Air', '01/air', '1/', 'air', '1/a/b']) : '1/air'
}

function eventOf(dice: Dice, kind: string, isSealed: boolean): unknown[] {
  const tail = [dice.oneIn(20) ? interestingValue(dice) : dice.below(1e9), 1 + dice.below(99)]
  if (dice.oneIn(20)) tail.push(1)
  if (dice.oneIn(20)) return ['reading', interestingValue(dice), 'C', ...tail]
  if (isSealed && !dice.oneIn(10)) {
    const box = dice.oneIn(12) ? dice.pick(['a b', 'A'.repeat(2_049), 7]) : 'Zm9vYmFy'
    return ['sealed', dice.oneIn(12) ? 'short' : 'abcdefghijk', box, tail.at(-1)]
  }
  if (dice.oneIn(4)) return ['unavailable', 'x'.repeat(dice.pick([0, 9, 1_024, 1_025])), ...tail]
  if (kind === 'door') return [dice.pick(['open', 'close']), ...tail]
  return ['reading', dice.below(9), kind === 'humidity' ? '%' : 'C', ...tail]
}
