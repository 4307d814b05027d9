import { isDeepStrictEqual } from 'node:util'
import { parsePacket } from '../../../node/web/packet.ts'
import { parseInvited, parseSignIn } from '../../../node/sessions/sign-in.ts'
import { CLIENT_LIMITS } from '../../../node/wire/limits.ts'
import { Refusal } from '../../../node/wire/refusal.ts'
import type { Dice } from '../dice.ts'
import { interestingValue } from '../interesting.ts'
import { modelPackets } from '../models/packets.ts'
import type { Target } from '../target.ts'

const LIMITS = { ...CLIENT_LIMITS, maxLineBytes: 512 }
const EVENTS = ['call', 'nonce', 'sealed', 'sign-in', 'invited']

/** What a page sends: an input is one packet of Socket.IO a line. */
export async function openPage(): Promise<Target> {
  return {
    name: 'page',
    fixedInputs: 1_500,
    maxLineBytes: LIMITS.maxLineBytes,
    generate: sessionOf,
    run: async bytes => {
      const text = bytes.toString('utf8')
      const packets: unknown[] = []
      let refused = false
      for (const line of text.split('\n')) {
        const packet = parsePacket(line, LIMITS)
        refused = packet instanceof Refusal
        if (packet instanceof Refusal) break
        packets.push(packet)
        // What it holds is read as well, and must not throw either.
        if (packet.kind === 'event' && packet.event === 'sign-in') parseSignIn(packet.values[0])
        if (packet.kind === 'event' && packet.event === 'invited') parseInvited(packet.values[0])
      }
      const expected = modelPackets(text, { ...LIMITS, events: EVENTS })
      const problem = isDeepStrictEqual({ packets, refused }, expected)
        ? undefined
        : `${JSON.stringify({ packets, refused })} instead of ${JSON.stringify(expected)}`
      return { refused, problem }
    },
  }
}

function sessionOf(dice: Dice): string {
  const packets = Array.from({ length: 1 + dice.below(6) }, () => packetOf(dice))
  return ['0', ...packets].join('\n')
}

function packetOf(dice: Dice): string {
  if (dice.oneIn(20))
    return dice.pick(['0', '1', '0{"token":"x"}', '0[]', '0{', '3[]', '4{}', '51-[]'])
  const values = Array.from({ length: dice.pick([0, 1, 2, 3, 16, dice.oneIn(8) ? 17 : 4]) }, () =>
    dice.oneIn(4) ? interestingValue(dice) : dice.below(100),
  )
  const event = dice.oneIn(30) ? dice.pick(['connect', '__proto__', '']) : dice.pick(EVENTS)
  const id = dice.oneIn(4) ? '' : String(dice.below(dice.pick([10, 1_000_000])))
  const digits = dice.oneIn(40) ? '9'.repeat(16) : id
  return `2${digits}${JSON.stringify([event, ...values])}`
}
