import { client } from '../../support/replica-changes.ts'
import type { Subject } from '../../../node/identity/names.ts'
import { Draws } from '../draws.ts'

/** Whom schedules let in and throw out. */
export const SUBJECTS: readonly Subject[] = ['amber', 'basil'].map(client)

/** What happens to a machine as a whole. */
export type MachineEvent =
  | 'start'
  | 'stop'
  | 'crash'
  | 'power cut'
  | 'back up'
  | 'restore'
  | 'copy'
  | 'steal'

/** What happens to a cluster: to its list, to one of its machines, or to the network. */
export type Operation =
  | { readonly kind: 'grant' | 'revoke'; readonly host: string; readonly subject: Subject }
  | { readonly kind: 'remove'; readonly host: string; readonly node: string }
  | { readonly kind: MachineEvent; readonly host: string }
  | {
      readonly kind: 'freeze' | 'fill disk' | 'set clock'
      readonly host: string
      readonly ms: number
    }
  | { readonly kind: 'cut' | 'lose way'; readonly host: string; readonly other: string }
  | { readonly kind: 'divide'; readonly parts: readonly (readonly string[])[] }
  | { readonly kind: 'lose packets'; readonly share: number }
  | { readonly kind: 'mend network' }

export interface Step {
  /** Milliseconds after the step before. */
  readonly afterMs: number
  readonly operation: Operation
}

const STEPS = 16
const MAX_WAIT_MS = 1_200
/** How often two things happen at nearly the same time, and how near that is, in milliseconds. */
const BURST = { share: 0.3, maxWaitMs: 60 }
const HOUR_MS = 60 * 60 * 1_000
const DAY_MS = 24 * HOUR_MS
/** By how much a clock is set, at most: by hand, after a flat battery, and to where a clock begins. */
const CLOCK_MS = [HOUR_MS, DAY_MS, 3_650 * DAY_MS]
/** Into how many parts a network divides, at most. */
const MAX_PARTS = 3

/** How often each operation is drawn. */
const WEIGHTS: readonly (readonly [Operation['kind'], number])[] = [
  ['grant', 16],
  ['revoke', 14],
  ['remove', 10],
  ['stop', 4],
  ['crash', 5],
  ['power cut', 5],
  ['start', 12],
  ['back up', 4],
  ['restore', 4],
  ['copy', 2],
  ['steal', 2],
  ['freeze', 5],
  ['fill disk', 4],
  ['set clock', 2],
  ['cut', 6],
  ['lose way', 4],
  ['divide', 5],
  ['lose packets', 3],
  ['mend network', 8],
]

/** What a seed lets happen to machines with these hosts. */
export function planOf(seed: number, hosts: readonly string[]): Step[] {
  const draws = new Draws(seed)
  return Array.from({ length: STEPS }, () => ({
    afterMs: draws.below(draws.chance(BURST.share) ? BURST.maxWaitMs : MAX_WAIT_MS),
    operation: operationOf(draws, hosts),
  }))
}

function operationOf(draws: Draws, hosts: readonly string[]): Operation {
  const kind = kindOf(draws)
  const host = draws.pick(hosts)
  switch (kind) {
    case 'grant':
    case 'revoke':
      return { kind, host, subject: draws.pick(SUBJECTS) }
    case 'remove':
      return { kind, host, node: draws.pick(hosts.slice(1)) }
    case 'freeze':
      return { kind, host, ms: draws.below(6_000) }
    case 'fill disk':
      return { kind, host, ms: draws.below(4_000) }
    case 'set clock':
      return { kind, host, ms: draws.within(draws.pick(CLOCK_MS)) }
    case 'cut':
    case 'lose way':
      return { kind, host, other: draws.pick(hosts.filter(other => other !== host)) }
    case 'divide': {
      const count = 2 + draws.below(MAX_PARTS - 1)
      const parts = Map.groupBy(hosts, () => draws.below(count))
      return { kind, parts: [...parts.values()] }
    }
    case 'lose packets':
      return { kind, share: draws.below(45) / 100 }
    case 'mend network':
      return { kind }
    default:
      return { kind, host }
  }
}

function kindOf(draws: Draws): Operation['kind'] {
  let left = draws.below(WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0))
  for (const [kind, weight] of WEIGHTS) if ((left -= weight) < 0) return kind
  return 'mend network'
}

/** An operation in a sentence. */
export function describe(operation: Operation): string {
  switch (operation.kind) {
    case 'grant':
      return `${operation.host} lets ${operation.subject} in`
    case 'revoke':
      return `${operation.host} removes ${operation.subject}`
    case 'remove':
      return `${operation.host} removes node/${operation.node}`
    case 'start':
      return `${operation.host} starts`
    case 'stop':
      return `${operation.host} stops in order`
    case 'crash':
      return `${operation.host} crashes`
    case 'power cut':
      return `${operation.host} loses its power`
    case 'back up':
      return `the database of ${operation.host} is copied`
    case 'restore':
      return `${operation.host} starts from an old copy of its database`
    case 'copy':
      return `a copy of the machine ${operation.host} starts`
    case 'steal':
      return `a thief alters what ${operation.host} says`
    case 'freeze':
      return `${operation.host} stands still for ${operation.ms} ms`
    case 'fill disk':
      return `the disk of ${operation.host} is full for ${operation.ms} ms`
    case 'set clock':
      return `the clock of ${operation.host} is set by ${operation.ms} ms`
    case 'cut':
      return `the connections of ${operation.host} and ${operation.other} are reset`
    case 'lose way':
      return `what ${operation.host} sends to ${operation.other} is lost`
    case 'divide':
      return `the network divides: ${operation.parts.map(part => part.join(', ')).join(' | ')}`
    case 'lose packets':
      return `${Math.round(operation.share * 100)} % of the packets are lost`
    case 'mend network':
      return 'the network is mended'
  }
}

/** A plan as a person reads it: when what happens, each step with its number. */
export function formatPlan(steps: readonly (readonly [index: number, step: Step])[]): string {
  let at = 0
  return steps
    .map(([index, { afterMs, operation }]) => {
      at += afterMs
      return `  ${(at / 1_000).toFixed(3).padStart(7)} s  ${String(index).padStart(2)}  ${describe(operation)}`
    })
    .join('\n')
}
