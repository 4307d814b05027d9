import { hash } from 'node:crypto'
import { isName, isSource, nodeOf, sourceOf, type Name, type Source } from '../identity/names.ts'

/** The word of an operator that a node will not come back (PROTOCOL.md, "Nodes that are gone"). */
export interface Forgetting {
  readonly name: Name
  readonly operator: Name
  /** When it was made, by the clock of the node that proposed it, in milliseconds since 1970. */
  readonly at: number
  /** The runs of the node that were known: a later one is a node that came back. */
  readonly runs: readonly Source[]
}

export const FORGETTING_LIMITS = { maxRuns: 64, maxText: 8_192 } as const

/** The text that an operator signs. */
export function encodeForgetting({ name, operator, at, runs }: Forgetting): string {
  return JSON.stringify({ forget: name, operator, at, runs })
}

/** @returns what a text says, or why it is no forgetting */
export function parseForgetting(text: unknown): Forgetting | string {
  if (typeof text !== 'string' || text.length > FORGETTING_LIMITS.maxText) {
    return 'a forgetting is no text'
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return 'a forgetting is not JSON'
  }
  if (typeof parsed !== 'object' || parsed === null) return 'a forgetting is no object'
  const { forget: name, operator, at, runs } = parsed as Record<string, unknown>
  if (!isName(name) || !isName(operator) || !isTime(at)) return 'a forgetting names nobody'
  if (!Array.isArray(runs) || runs.length > FORGETTING_LIMITS.maxRuns) {
    return 'a forgetting has no runs'
  }
  if (!runs.every(run => isSource(run) && nodeOf(run) === name)) {
    return 'a forgetting has runs of another node'
  }
  const forgetting = { name, operator, at, runs: runs as Source[] }
  return encodeForgetting(forgetting) === text ? forgetting : 'a forgetting is not canonical'
}

/** Where a forgetting stands in *members*: a source that only its text decides, and no run has. */
export function forgettingSource(name: Name, text: string): Source {
  return sourceOf(name, hash('sha256', `forgetting\n${text}`).slice(0, 32))
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
