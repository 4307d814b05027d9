import { isDeepStrictEqual } from 'node:util'
import { Unsealer } from '../../../node/client/sealed-events.ts'
import { parseSealedEvent } from '../../../node/events/told-sensor.ts'
import { parseName, type Source } from '../../../node/identity/names.ts'
import { errorCode } from '../../../node/lib/errors.ts'
import { ChannelKey } from '../../../node/seal/channel-key.ts'
import type { SealedKind } from '../../../node/seal/format.ts'
import { SealedCalls } from '../../../node/web/sealed-calls.ts'
import { readProtocol } from '../../vectors/parts.ts'
import type { Dice } from '../dice.ts'
import { interestingValue } from '../interesting.ts'
import { SealedModel, type SealedTable } from '../models/sealed.ts'
import type { Target } from '../target.ts'

interface Box {
  readonly kind: SealedKind
  readonly about: string
  readonly sequence: number
  readonly box: string
  readonly opens: unknown[] | null
}

const vectors = readProtocol()
const { passphrase, epoch, node, run, ...name } = vectors.json('seal-channel') as Record<
  'passphrase' | 'channel' | 'domain' | 'epoch' | 'node' | 'run',
  string
>
const SENSOR = { name: 'temperature', kind: 'temperature' } as const
const PLACE = { node: parseName(node), run: run as Source }
const NONCE = 'AAECAwQFBgcICQoLDA0ODw'
/** How many calls a page has sealed. */
const CALLS = 4

/**
 * Sealed events as a client opens them, and sealed calls as a node does: an input is a JSON list a line,
 * `["event", epoch, box, sequence]` or `["call", channel, count, box]`. Any other is refused.
 */
export async function openSealed(): Promise<Target> {
  const key = await ChannelKey.of(name, passphrase)
  const boxes = vectors.json('seal-boxes') as Box[]
  const events = tableOf(
    boxes.filter(({ kind, about, opens }) => kind === 'event' && about === SENSOR.name && opens),
  )
  const calls = tableOf(
    Array.from({ length: CALLS }, (_, index) => {
      const place = { kind: 'command', ...PLACE, about: NONCE } as const
      const opens = index === 0 ? ['defrost'] : ['history', index]
      return { ...place, sequence: index + 1, opens, ...key.seal(place, index + 1, opens) }
    }),
  )
  const rules = { epoch, channel: name.channel, events, calls }
  const unsealer = new Unsealer(passphrase)
  const sensor = { ...SENSOR, sealed: key.info }
  // What a passphrase makes is derived before the first input is timed.
  unsealer.keyOf(key.info)
  return {
    name: 'sealed',
    fixedInputs: 1_500,
    maxLineBytes: 8_192,
    generate: dice => sessionOf(dice, rules),
    run: async bytes => {
      const model = new SealedModel(rules)
      const open = unsealer.openerFor(PLACE, () => 0)
      const made: unknown[] = []
      const page = new SealedCalls({
        service: { ...PLACE, seals: { infoOf: () => undefined, keyOf: one => keyFor(one, key) } },
        nonce: NONCE,
        call: async values => void made.push(values),
        reportOf: () => ({}),
      })
      for (const line of bytes.toString('utf8').split('\n')) {
        const [kind, ...values] = parseLine(line) ?? []
        if (kind !== 'event' && kind !== 'call') return { refused: true }
        const expected = kind === 'event' ? model.event(values) : model.call(values)
        const actual =
          kind === 'event'
            ? hear(values, sealed => open(sensor, sealed))
            : await call(page, values, made)
        if (isDeepStrictEqual(actual, expected)) continue
        const problem = `${line}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`
        return { refused: false, problem }
      }
      return { refused: false }
    },
  }
}

function tableOf(boxes: readonly Box[]): SealedTable {
  return new Map(boxes.map(({ sequence, box, opens }) => [sequence, { box, opens }]))
}

function keyFor(channel: string, key: ChannelKey): ChannelKey | undefined {
  return channel === key.info.channel ? key : undefined
}

function parseLine(line: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return Array.isArray(value) ? (value as unknown[]) : undefined
  } catch {
    return undefined
  }
}

function hear(
  values: readonly unknown[],
  open: (sealed: NonNullable<ReturnType<typeof parseSealedEvent>>) => object,
): unknown {
  const sealed = parseSealedEvent(values)
  if (sealed === undefined) return 'malformed'
  const event = open(sealed) as {
    type: string
    reason?: string
    value?: number
    unit?: string
    at: number
  }
  if (event.reason?.startsWith('sealed: ') === true) return 'unknown'
  const { type, reason, value, unit, at } = event
  return type === 'unavailable' ? [type, reason, at] : [type, value, unit, at]
}

async function call(
  page: SealedCalls,
  values: readonly unknown[],
  made: unknown[],
): Promise<unknown> {
  try {
    await page.run(values)
    return made.at(-1)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ERR_PROTOCOL') return 'malformed'
    if (code === 'ERR_REFUSED') return 'refused'
    throw error
  }
}

type Rules = ConstructorParameters<typeof SealedModel>[0]

function sessionOf(dice: Dice, rules: Rules): string {
  let next = 1
  return Array.from({ length: 1 + dice.below(6) }, () => {
    if (dice.oneIn(2)) return eventOf(dice, rules)
    const count = dice.oneIn(4) ? dice.below(CALLS + 2) : next
    const box = dice.oneIn(6) ? dice.below(CALLS + 1) : count
    if (count === next && box === count) next += 1
    const values = [
      'call',
      dice.oneIn(12) ? dice.pick(['cellar', 'Kitchen', '', '__proto__']) : rules.channel,
      dice.oneIn(12) ? interestingValue(dice) : count,
      boxOf(dice, rules.calls.get(box)?.box ?? 'AAAA'),
    ]
    return JSON.stringify(values)
  }).join('\n')
}

function eventOf(dice: Dice, { epoch, events }: Rules): string {
  const sequences = [...events.keys()]
  const sequence = dice.pick(sequences)
  const values = [
    'event',
    dice.oneIn(8) ? dice.pick(['AAAAAAAAAAA', '', 'short', `${epoch}A`]) : epoch,
    boxOf(dice, events.get(dice.oneIn(8) ? dice.pick(sequences) : sequence)?.box ?? ''),
    dice.oneIn(8) ? interestingValue(dice) : sequence,
  ]
  return JSON.stringify(values)
}

/** A box, at times with something wrong about it. */
function boxOf(dice: Dice, box: string): unknown {
  const at = dice.below(box.length)
  switch (dice.below(12)) {
    case 0:
      return `${box.slice(0, at)}${dice.pick(['A', '_', '-', '9'])}${box.slice(at + 1)}`
    case 1:
      // The tag stands at the end.
      return `${box.slice(0, -2)}AA`
    case 2:
      return box.slice(0, dice.oneIn(2) ? dice.below(24) : at)
    case 3:
      return box.padEnd(dice.pick([2_048, 2_049, 4_096, 4_097]), 'A')
    case 4:
      return dice.oneIn(2) ? `${box}=` : interestingValue(dice)
    default:
      return box
  }
}
