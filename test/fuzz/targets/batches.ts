import { isDeepStrictEqual } from 'node:util'
import { readBatch, SignedBatch } from '../../../node/client/operator/batch.ts'
import { parseName, parseSubject } from '../../../node/identity/names.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { readRequests } from '../../../node/operators/batches.ts'
import { encodeChange, type Change, type ChangeId } from '../../../node/whitelist/change.ts'
import { entryHash } from '../../../node/whitelist/entry.ts'
import { client, grantAt, NOON, testSource, wishOf } from '../../support/replica-changes.ts'
import type { Dice } from '../dice.ts'
import { BatchesModel } from '../models/batches.ts'
import type { Target } from '../target.ts'

const OPERATOR = { name: parseName('olga'), fingerprint: 'a'.repeat(64) }
const NODE_CERTIFICATE = 'b'.repeat(64)
const ASKED = ['c1', 'c2', 'c3'].map(name => ({
  wish: { kind: 'grant', subject: client(name), terms: { sensors: ['door'] } } as const,
  id: wishOf(name),
}))

type Wishes = readonly (readonly [kind: string, name: string])[]
type Edits = readonly (readonly [index: number, flaw: string])[]

/** What a stolen node makes of a text that it was asked for. */
const FLAWS = new Map<string, (change: Change) => object>([
  ['subject', () => ({ subject: client('eve') })],
  ['wish', () => ({ wish: wishOf('eve') })],
  ['terms', () => ({ terms: {} })],
  ['operator', () => ({ operator: parseName('eve') })],
  ['reason', () => ({ reason: 'none' })],
  ['hour', ({ at }) => ({ at: at + 3_600_000 })],
  ['minute', ({ at }) => ({ at: at + 60_000 })],
  ['node', () => ({ source: testSource('alpha') })],
  ['run', () => ({ source: testSource('mallory', 2) })],
  ['seen', () => ({ seen: ['A'.repeat(43) as ChangeId] })],
])

/** And of one that stands where it should not. */
const MISPLACED = new Map<string, (change: Change) => object>([
  ['sequence', ({ sequence }) => ({ sequence: sequence + 1 })],
  ['previous', () => ({ previous: 'Z'.repeat(43) })],
])

/** What an operator asks a node for at once, and what a node proposes to it: a line of JSON each. */
export async function openBatches(): Promise<Target> {
  return {
    name: 'batches',
    fixedInputs: 1_500,
    maxLineBytes: 8_192,
    generate: scriptOf,
    run: async bytes => {
      const lines = bytes.toString('utf8').split('\n').map(readLine)
      const model = new BatchesModel()
      const real = new BothEnds()
      const [became, expected]: [unknown[], unknown[]] = [[], []]
      for (const line of lines) {
        // A script is the test's own: what is none of it says nothing.
        if (line === undefined) return { refused: true }
        became.push(act(line, real))
        expected.push(act(line, model))
      }
      const problem = isDeepStrictEqual(became, expected)
        ? undefined
        : `${JSON.stringify(became)} instead of ${JSON.stringify(expected)}`
      return { refused: became.includes(false), problem }
    },
  }
}

type Line =
  | readonly ['ask', Wishes]
  | readonly ['answer', number, string, number, Edits]
  | readonly ['taken']

/** What both the code and its model can be told. */
type Told = Pick<BatchesModel, 'asked' | 'answered' | 'taken'>

function act(line: Line, told: Told): unknown {
  if (line[0] === 'ask') return told.asked(line[1])
  if (line[0] === 'taken') return told.taken()
  const [, start, root, count, edits] = line
  return told.answered(start, root, count, edits)
}

/** The real code: a node that reads requests, and an operator that is proposed texts and signs. */
class BothEnds implements Told {
  readonly #signed = new SignedBatch()

  asked(wishes: Wishes): boolean {
    const values = wishes.map(([kind, name]) => ({
      kind,
      subject: parseSubject(name),
      wish: wishOf(name),
      ...(kind === 'grant' && { terms: {} }),
    }))
    return !isRefused(() => readRequests(values, OPERATOR.name))
  }

  answered(start: number, root: string, count: number, edits: Edits): boolean {
    const answer = {
      texts: textsOf(start, root, count, edits),
      nodeCertificate: NODE_CERTIFICATE,
    }
    return !isRefused(() => {
      const reading = { node: parseName('mallory'), operator: OPERATOR, now: NOON }
      const changes = readBatch(answer, ASKED, reading)
      const why = this.#signed.whyNot(changes)
      if (why !== undefined) throw new FridgeError('ERR_PROTOCOL', why)
      this.#signed.note(changes)
    })
  }

  taken(): void {
    this.#signed.noteTaken()
  }
}

function isRefused(task: () => unknown): boolean {
  try {
    task()
    return false
  } catch (error) {
    if (error instanceof FridgeError) return true
    throw error
  }
}

/** The texts of a node: as asked for, from a place on, each behind the one before, but for its edits. */
function textsOf(start: number, root: string, count: number, edits: Edits): string[] {
  const certificates = {
    operatorCertificate: OPERATOR.fingerprint,
    nodeCertificate: NODE_CERTIFICATE,
  }
  const texts: string[] = []
  for (let index = 0; index < count; index += 1) {
    const asked = ASKED[index % ASKED.length]
    if (asked === undefined) break
    const before = texts.at(-1)
    const previous = start === 1 ? '' : root.repeat(43)
    let change: Change = {
      ...grantAt(testSource('mallory'), start + index, asked.wish),
      operator: OPERATOR.name,
      at: NOON,
      wish: asked.id,
      previous: before === undefined ? previous : entryHash(before, certificates),
    }
    for (const [at, flaw] of edits) {
      const rewrite = FLAWS.get(flaw) ?? (index > 0 ? MISPLACED.get(flaw) : undefined)
      if (at === index && rewrite !== undefined) change = { ...change, ...rewrite(change) }
    }
    texts.push(encodeChange(change))
  }
  return texts
}

function readLine(line: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isLine(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isLine(value: unknown): value is Line {
  if (!Array.isArray(value)) return false
  const [verb, ...rest] = value as unknown[]
  if (verb === 'taken') return rest.length === 0
  if (verb === 'ask') return rest.length === 1 && isPairs(rest[0], isKind, isClient)
  const [start, root, count, edits] = rest
  return (
    verb === 'answer' &&
    rest.length === 4 &&
    isSmall(start, 1) &&
    typeof root === 'string' &&
    /^[A-C]$/.test(root) &&
    isSmall(count, 0) &&
    isPairs(edits, index => isSmall(index, 0), isFlaw) &&
    // Of two edits of one text the second might take the first back.
    new Set((edits as Edits).map(([index]) => index)).size === (edits as Edits).length
  )
}

function isPairs(
  value: unknown,
  isFirst: (one: unknown) => boolean,
  isSecond: (one: unknown) => boolean,
): boolean {
  if (!Array.isArray(value) || value.length > 200) return false
  return value.every(
    pair => Array.isArray(pair) && pair.length === 2 && isFirst(pair[0]) && isSecond(pair[1]),
  )
}

function isSmall(value: unknown, least: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) < 9
}

function isKind(value: unknown): boolean {
  return value === 'grant' || value === 'revocation'
}

function isClient(value: unknown): boolean {
  return typeof value === 'string' && /^(?:(?:node|operator)\/)?c\d{1,3}$/.test(value)
}

function isFlaw(value: unknown): boolean {
  return typeof value === 'string' && (FLAWS.has(value) || MISPLACED.has(value))
}

function scriptOf(dice: Dice): string {
  const lines = Array.from({ length: 1 + dice.below(6) }, () => lineOf(dice))
  return lines.map(line => JSON.stringify(line)).join('\n')
}

function lineOf(dice: Dice): Line {
  if (dice.oneIn(6)) return ['taken']
  if (dice.oneIn(3)) return ['ask', wishesOf(dice)]
  const count = dice.oneIn(8) ? dice.below(5) : 1 + dice.below(3)
  const edits = new Map<number, string>()
  const others = dice.oneIn(8) ? count : 0
  for (let index = 0; index < others; index += 1) edits.set(index, 'run')
  if (dice.oneIn(2)) {
    edits.set(dice.below(3), dice.pick([...FLAWS.keys(), ...MISPLACED.keys()]))
  }
  return ['answer', 1 + dice.below(3), dice.pick(['A', 'B']), count, [...edits]]
}

function wishesOf(dice: Dice): Wishes {
  const length = dice.oneIn(6) ? dice.pick([0, 127, 128, 129]) : 1 + dice.below(4)
  const kind = dice.pick(['grant', 'revocation'])
  return Array.from({ length }, (_, index) => {
    const name = dice.oneIn(40) ? 'c0' : `c${index}`
    const role = kind === 'revocation' && dice.oneIn(40) ? 'operator/' : ''
    return [dice.oneIn(100) ? 'revocation' : kind, `${role}${name}`] as const
  })
}
