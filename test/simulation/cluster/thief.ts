import type { Draws } from '../draws.ts'

/** How often a line of a stolen node is altered. */
const ALTERED = 0.15

type Alteration = (line: string, draws: Draws) => string

/** What a thief does to a line: it has the key of the node, and those of nobody else. */
const ALTERATIONS: readonly Alteration[] = [
  () => '',
  line => `${line}${line}`,
  (line, draws) => digitOf(line, draws),
  line => line.replace(/client\/\w+/, 'client/mallory'),
  line => line.replaceAll('revocation', 'grant'),
  (line, draws) => line.replaceAll(/\bn[1-9]\b/g, () => `n${1 + draws.below(4)}`),
  line => line.replace(/\\"left\\":true|\\\\\\"left\\\\\\":true/, ''),
]

/** Whoever has stolen a node, and sits on its lines. */
export class Thief {
  readonly #draws: Draws
  #host: string | undefined
  #hasBeen = false

  constructor(draws: Draws) {
    this.#draws = draws
  }

  get host(): string | undefined {
    return this.#host
  }

  /** Whether there was one. */
  get hasBeen(): boolean {
    return this.#hasBeen
  }

  steal(host: string): void {
    this.#host = host
    this.#hasBeen = true
  }

  /** Alter nothing any more. */
  leave(): void {
    this.#host = undefined
  }

  /** What becomes of what a machine writes. */
  alter(host: string, text: string): string {
    if (host !== this.#host) return text
    return text
      .split(/(?<=\n)/)
      .map(line =>
        this.#draws.chance(ALTERED) ? this.#draws.pick(ALTERATIONS)(line, this.#draws) : line,
      )
      .join('')
  }
}

/** One digit of a line is another one. */
function digitOf(line: string, draws: Draws): string {
  const digits = [...line.matchAll(/\d/g)]
  if (digits.length === 0) return line
  const { index } = draws.pick(digits)
  return `${line.slice(0, index)}${draws.below(10)}${line.slice(index + 1)}`
}
