import { isDeepStrictEqual } from 'node:util'
import { parseName, parseSubject } from '../../../node/identity/names.ts'
import { errorCode } from '../../../node/lib/errors.ts'
import { Invitations } from '../../../node/sessions/invitations.ts'
import type { Service } from '../../../node/sessions/service.ts'
import type { OpenViews } from '../../../node/sessions/views.ts'
import { PageCalls } from '../../../node/web/page-calls.ts'
import { parseInvited } from '../../../node/sessions/sign-in.ts'
import type { View } from '../../../node/whitelist/terms.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import type { Dice } from '../dice.ts'
import { interestingValue } from '../interesting.ts'
import { GuestsModel } from '../models/guests.ts'
import type { Target } from '../target.ts'

const VIEWS: readonly View[] = ['fleet', 'whitelist', 'log']
const KEY = 'a'.repeat(64)
const PROOF = 'p'.repeat(43)

/** Who has made the invitations that are open, by their ids. */
const OPERATORS = new Map([
  ['i'.repeat(22), 'ann'],
  ['j'.repeat(22), 'bob'],
])

const openViews: OpenViews = () =>
  new Map(VIEWS.map(view => [view, { view, method: async () => 'shown' }]))

/** Of a node, what the views of a page need; who calls anything else finds nothing. */
const SERVICE = {
  lookout: { check: () => {} },
  alarms: { hasRules: false },
} as unknown as Service

/**
 * What browsers with invitations, operators, and pages that look at views say: an input is a line of
 * JSON each, `["views", …]` (what the grant names) before all others.
 */
export async function openGuests(): Promise<Target> {
  return {
    name: 'guests',
    fixedInputs: 1_500,
    maxLineBytes: 512,
    generate: scriptOf,
    run: async bytes => {
      const lines = bytes.toString('utf8').split('\n').map(readLine)
      const isRead = lines.every(line => line !== undefined)
      if (!isRead) return { refused: true }
      const views = VIEWS.filter(view => lines[0]?.includes(view) && lines[0][0] === 'views')
      const model = new GuestsModel(OPERATORS, views)
      const node = new NodeUnderFuzz(views)
      const [became, expected]: [unknown[], unknown[]] = [[], []]
      for (const line of lines) {
        became.push(await act(line, node))
        expected.push(await act(line, model))
      }
      await node.end()
      const problem = isDeepStrictEqual(became, expected)
        ? undefined
        : `${JSON.stringify(became)} instead of ${JSON.stringify(expected)}`
      return { refused: became.includes('malformed'), problem }
    },
  }
}

/** What both the node and its model can be told. */
interface Told {
  invited(value: unknown): unknown
  answer(id: string, operator: string, number: number, isLetIn: boolean): unknown
  look(view: string): unknown
}

async function act([verb, ...rest]: readonly unknown[], told: Told): Promise<unknown> {
  if (verb === 'invited') return told.invited(rest[0])
  if (verb === 'look') return told.look(textOf(rest[0]))
  if (verb !== 'answer') return undefined
  const [id, operator, number, isLetIn] = rest
  const answered = typeof number === 'number' ? number : 0
  return told.answer(textOf(id), textOf(operator), answered, isLetIn === true)
}

/** A value as a text; one that is none, and may not let itself be made one, is no text. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** The real code, with two invitations open and a page that has signed in. */
class NodeUnderFuzz implements Told {
  readonly #invitations = new Invitations(new FakeClock())
  readonly #withdrawn = new AbortController()
  readonly #hosted: Promise<void>[]
  readonly #offers: Promise<unknown>[] = []
  readonly #calls: PageCalls

  constructor(views: readonly View[]) {
    const { signal } = this.#withdrawn
    this.#hosted = Array.from(OPERATORS, async ([id, operator]) =>
      this.#invitations.host(id, { operator: parseName(operator), onGuest: () => {}, signal }),
    )
    this.#calls = new PageCalls({
      service: SERVICE,
      subject: parseSubject('phone'),
      maxPending: 16,
      rights: () => ({ sensors: new Set(), commands: new Set(), views: new Set(views) }),
      hasEnded: () => false,
      openViews,
      relayed: new Map(),
      clock: new FakeClock(),
    })
  }

  /** @returns whether the browser waits for the word of an operator, or was told at once that nobody waits */
  async invited(value: unknown): Promise<string> {
    const guest = parseInvited(value)
    if (guest === undefined) return 'malformed'
    let state = 'waits'
    const offer = this.#invitations
      .offer(guest.id, { ...guest, origin: 'https://node' })
      .catch(() => (state = 'over'))
    this.#offers.push(offer)
    await new Promise(resolve => setImmediate(resolve))
    return state
  }

  answer(id: string, operator: string, number: number, isLetIn: boolean): boolean {
    const why = isLetIn ? undefined : 'no'
    return this.#invitations.answer(id, parseName(operator), number, why)
  }

  async look(view: string): Promise<unknown> {
    try {
      return await this.#calls.call([view])
    } catch (error) {
      return errorCode(error)
    }
  }

  async end(): Promise<void> {
    this.#withdrawn.abort()
    await Promise.all(this.#hosted)
  }
}

function readLine(line: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (!Array.isArray(value)) return undefined
    // A script is the test's own: only what a browser says in it is anything.
    const [verb, , operator] = value as unknown[]
    const isAnswer = verb !== 'answer' || operator === 'ann' || operator === 'bob'
    return isAnswer ? (value as unknown[]) : undefined
  } catch {
    return undefined
  }
}

function scriptOf(dice: Dice): string {
  const views = VIEWS.filter(() => dice.oneIn(2))
  const lines = Array.from({ length: 1 + dice.below(dice.oneIn(8) ? 80 : 12) }, () => lineOf(dice))
  return [['views', ...views], ...lines].map(line => JSON.stringify(line)).join('\n')
}

function lineOf(dice: Dice): readonly unknown[] {
  const id = dice.pick(Array.from(OPERATORS.keys()))
  if (dice.oneIn(3)) return ['look', dice.pick([...VIEWS, 'fleet', '__proto__', 'nothing'])]
  if (dice.oneIn(3)) {
    const operator = dice.pick(['ann', 'bob'])
    return ['answer', id, operator, 1 + dice.below(4), dice.oneIn(8)]
  }
  const guest = { id, key: KEY, proof: PROOF }
  if (!dice.oneIn(40)) return ['invited', guest]
  const field = dice.pick(['id', 'key', 'proof', 'more'])
  const value = dice.pick([`${id}x`, KEY.toUpperCase(), PROOF.slice(1), interestingValue(dice)])
  return ['invited', { ...guest, [field]: value }]
}
