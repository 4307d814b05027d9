import { Bystander } from './bystander.ts'
import { readCorpus } from './corpus.ts'
import { Dice } from './dice.ts'
import { mutate } from './mutate.ts'
import type { Outcome, Target } from './target.ts'

/** What became of many inputs. */
export interface Report {
  readonly inputs: number
  readonly accepted: number
  readonly refused: number
  readonly failure?: Failure
}

/** An input after which something did not hold. */
export interface Failure {
  /** Its number: with the seed it gives the input again. */
  readonly number: number
  readonly input: Buffer
  readonly problem: string
}

export interface FuzzOptions {
  readonly target: Target
  readonly seed: number
  /** The first input's number. Default 0: the corpus itself comes first. */
  readonly from?: number
  readonly inputs: number
  /** Stop before `inputs` are through. */
  readonly isOver?: () => boolean
}

/** How often it is looked whether another client is still served. */
const INPUTS_PER_CHECK = 8

/** The sessions of a corpus as they are, then mutated and generated ones. Ends at a failure. */
export async function fuzz(options: FuzzOptions): Promise<Report> {
  const { target, seed, from = 0, inputs, isOver = () => false } = options
  const corpus = readCorpus(target.name).map(({ bytes }) => bytes)
  const names = sharedNames()
  const bystander = await Bystander.open()
  let refused = 0
  let number = from
  for (; number < from + inputs && !isOver(); number += 1) {
    const input = inputOf(number, { target, seed, corpus })
    const outcome = await runGuarded(target, input)
    if (outcome.refused) refused += 1
    const isChecked = number % INPUTS_PER_CHECK === 0
    const problem =
      outcome.problem ??
      problemOfNames(names) ??
      (isChecked ? await bystander.problem() : undefined)
    if (problem === undefined) continue
    const accepted = number + 1 - from - refused
    return { inputs: number + 1 - from, accepted, refused, failure: { number, input, problem } }
  }
  return { inputs: number - from, accepted: number - from - refused, refused }
}

interface Source {
  readonly target: Target
  readonly seed: number
  readonly corpus: readonly Buffer[]
}

/** The input of a number: the same for the same seed and corpus. */
export function inputOf(number: number, { target, seed, corpus }: Source): Buffer {
  const own = corpus[number]
  if (own !== undefined) return own
  const dice = new Dice(seed * 2 ** 24 + number)
  const isGenerated = dice.oneIn(2)
  const base = isGenerated ? Buffer.from(target.generate(dice)) : dice.pick(corpus)
  // What chance builds has its own lies; more on top of them would hide most.
  if (isGenerated && dice.oneIn(2)) return base
  return mutate(base, dice, { corpus, maxLineBytes: target.maxLineBytes })
}

/** Run one input; whatever is thrown anywhere meanwhile is a problem too. */
export async function runGuarded(target: Target, input: Buffer): Promise<Outcome> {
  let thrown: unknown
  const note = (error: unknown): void => {
    thrown ??= error ?? new Error('something was thrown')
  }
  process.on('uncaughtException', note)
  process.on('unhandledRejection', note)
  try {
    const outcome = await target.run(input)
    if (thrown === undefined) return outcome
  } catch (error) {
    note(error)
  } finally {
    process.off('uncaughtException', note)
    process.off('unhandledRejection', note)
  }
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  return { refused: false, problem: `it threw: ${text}` }
}

const SHARED = [Object, Array, Function, String, Number]

/** How many names stand on what all objects share. */
function sharedNames(): number {
  return SHARED.reduce(
    (sum, type) =>
      sum + Reflect.ownKeys(type).length + Reflect.ownKeys(type.prototype as object).length,
    0,
  )
}

function problemOfNames(before: number): string | undefined {
  return sharedNames() === before ? undefined : 'what all objects share was changed'
}

/** Leave out lines for as long as it still fails. */
export async function shrink(target: Target, input: Buffer): Promise<Buffer> {
  let lines = input.toString('latin1').split(/(?<=\n)/)
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const fewer = lines.toSpliced(at, 1)
    const { problem } = await runGuarded(target, Buffer.from(fewer.join(''), 'latin1'))
    if (problem !== undefined) lines = fewer
  }
  return Buffer.from(lines.join(''), 'latin1')
}
