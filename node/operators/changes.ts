import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../lib/clock.ts'
import { isSource, MAX_SOURCES, type Source, type Subject } from '../identity/names.ts'
import { isSequence } from '../whitelist/change.ts'
import type { EntrySignatures } from '../identity/signature.ts'
import { effectOf, type Effect } from '../whitelist/effect.ts'
import type { StoredChanges } from '../storage/stored-changes.ts'
import { fits, readFilter, type ChangeFilter } from '../whitelist/change-filter.ts'
import type { Entry, LoggedEntry } from '../whitelist/entry.ts'
import type { ReadableWhitelist } from '../whitelist/readable-whitelist.ts'
import type { Replica } from '../gossip/replica.ts'
import type { RpcMethod } from '../wire/rpc.ts'
import { malformed } from './malformed.ts'

/** One change as operators are sent it: all that it takes to check it without trusting the node. */
export interface ShownChange extends EntrySignatures {
  /** Canonical text of the change. */
  readonly text: string
  /** Whether it is filed at a place of its own, because its node signed two entries at one place. */
  readonly isStray: boolean
  /** What this node says that it does now. */
  readonly effect: Effect
}

export interface ChangePage {
  readonly entries: readonly ShownChange[]
  /** The chains of the operators and nodes that signed these entries, by fingerprint. */
  readonly certificates: Readonly<Record<string, readonly string[]>>
}

/** What `log` answers: a page, newest first. */
export interface LogAnswer extends ChangePage {
  /** What to ask with for the page before; null when there is none. */
  readonly before: number | null
}

/**
 * Bounds of one page. An operator's connection may buffer 1 MiB, and one entry may have that
 * size: no page is larger than this but one that holds a single entry.
 */
const PAGE = {
  maxEntries: 200,
  /** JSON of entries and chains, in UTF-16 units. */
  maxSize: 256 * 1_024,
  /** Rows read in one turn of the loop: some milliseconds. */
  maxScanned: 1_000,
} as const

/** How often `follow` looks for what `subscribe` does not tell, in milliseconds. */
const LOOK_MS = 1_000

export interface ChangeMethodsOptions {
  readonly replica: Replica
  readonly storedChanges: StoredChanges
  readonly clock: Clock
}

/** The methods by which operators read the log (PROTOCOL.md, "Operators"). */
export function changeMethods(options: ChangeMethodsOptions): [string, RpcMethod][] {
  const { replica, storedChanges } = options
  return [
    [
      'log',
      async ([filterValue, before]): Promise<LogAnswer> => {
        const filter = readFilter(filterValue)
        if (filter === undefined || (before !== null && !isSequence(before))) {
          throw malformed('log')
        }
        const rows = storedChanges.before(before ?? Number.MAX_SAFE_INTEGER)
        const { page, last, isEnd } = readPage(rows, { ...options, filter })
        return { ...page, before: isEnd || last === undefined ? null : last }
      },
    ],
    // By itself: of twenty thousand sources it has the size of three pages.
    ['clock', async () => Object.fromEntries(replica.whitelist.clock())],
    [
      'follow',
      async ([filterValue, clockValue], progress, signal): Promise<null> => {
        const filter = readFilter(filterValue)
        const heard = readClock(clockValue)
        if (filter === undefined || heard === undefined) throw malformed('follow')
        await follow({ ...options, filter, heard, progress, signal })
        return null
      },
    ],
  ]
}

interface Follow extends ChangeMethodsOptions {
  readonly filter: ChangeFilter
  /** How far the operator has heard each source. */
  readonly heard: ReadonlyMap<Source, number>
  readonly progress: (page: ChangePage) => void
  readonly signal: AbortSignal
}

/**
 * Report what the operator lacks, then each change as it is applied here. It ends when it has
 * sent as much as may wait for the operator: an operator that asks again has read it.
 */
async function follow(options: Follow): Promise<void> {
  const { replica, storedChanges, clock, progress, signal } = options
  let wake = Promise.withResolvers<void>()
  const onWake = (): void => wake.resolve()
  using _subscription = replica.subscribe(onWake)
  using stack = new DisposableStack()
  signal.addEventListener('abort', onWake, { once: true })
  stack.defer(() => signal.removeEventListener('abort', onWake))
  let position = storedChanges.positionOf(options.heard)
  let sent = 0
  while (!signal.aborted) {
    wake = Promise.withResolvers()
    const { page, size, last, isEnd } = readPage(storedChanges.after(position), options)
    if (page.entries.length > 0) {
      if (sent > 0 && sent + size > PAGE.maxSize) return
      progress(page)
      sent += size
    }
    if (sent >= PAGE.maxSize) return
    position = last ?? position
    if (!isEnd) {
      await nextTurn()
      continue
    }
    // `subscribe` does not tell of strays.
    using _look = clock.after(LOOK_MS, onWake)
    await wake.promise
  }
}

interface PageOptions extends ChangeMethodsOptions {
  readonly filter: ChangeFilter
  /** What is left out, because the operator has it. */
  readonly heard?: ReadonlyMap<Source, number>
}

interface ReadPage {
  readonly page: ChangePage
  readonly size: number
  /** Position of the last row that was looked at. */
  readonly last: number | undefined
  /** Whether no row is behind it. */
  readonly isEnd: boolean
}

function readPage(rows: Iterable<LoggedEntry>, options: PageOptions): ReadPage {
  const { filter, heard, replica, storedChanges } = options
  const entries: ShownChange[] = []
  const certificates: Record<string, readonly string[]> = {}
  let size = 0
  let scanned = 0
  let last: number | undefined
  const list = rememberingChanges(replica.whitelist)
  for (const logged of rows) {
    if (scanned >= PAGE.maxScanned || entries.length >= PAGE.maxEntries) {
      return { page: { entries, certificates }, size, last, isEnd: false }
    }
    const { position, entry, place, isStray } = logged
    const { change, text, signatures } = entry
    const isKnown = place.sequence <= (heard?.get(place.source) ?? 0)
    if (!isKnown && fits(change, filter)) {
      const effect = effectOf(logged, list)
      const shown: ShownChange = { text, ...signatures, isStray, effect }
      const missing = chainsOf(signatures, storedChanges).filter(
        ([fingerprint]) => certificates[fingerprint] === undefined,
      )
      const cost = JSON.stringify([shown, missing]).length
      if (size > 0 && size + cost > PAGE.maxSize) {
        return { page: { entries, certificates }, size, last, isEnd: false }
      }
      entries.push(shown)
      for (const [fingerprint, chain] of missing) certificates[fingerprint] = chain
      size += cost
    }
    scanned += 1
    last = position
  }
  return { page: { entries, certificates }, size, last, isEnd: true }
}

/** The list for one page: the changes of a subject are looked up once. */
function rememberingChanges(list: ReadableWhitelist): Parameters<typeof effectOf>[1] {
  const known = new Map<Subject, ReturnType<ReadableWhitelist['changesOf']>>()
  return {
    state: subject => list.state(subject),
    forkOf: source => list.forkOf(source),
    isVoid: entry => list.isVoid(entry),
    checkpointEffect: entry => list.checkpointEffect(entry),
    changesOf: subject => {
      const changes = known.get(subject) ?? list.changesOf(subject)
      known.set(subject, changes)
      return changes
    },
  }
}

/** The chains of those who signed an entry, by fingerprint. */
function chainsOf(
  { operatorCertificate, nodeCertificate }: EntrySignatures,
  storedChanges: StoredChanges,
): (readonly [fingerprint: string, chain: readonly string[]])[] {
  return [operatorCertificate, nodeCertificate].map(
    fingerprint => [fingerprint, storedChanges.chain(fingerprint) ?? []] as const,
  )
}

/** The page that shows one entry in its place. */
export function pageOf(
  entry: Entry,
  { replica, storedChanges }: Pick<ChangeMethodsOptions, 'replica' | 'storedChanges'>,
): ChangePage {
  const effect = effectOf({ entry, isStray: false }, replica.whitelist)
  return {
    entries: [{ text: entry.text, ...entry.signatures, isStray: false, effect }],
    certificates: Object.fromEntries(chainsOf(entry.signatures, storedChanges)),
  }
}

/** A clock from outside. @returns undefined when it is none */
function readClock(value: unknown): Map<Source, number> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const pairs = Object.entries(value)
  if (pairs.length > MAX_SOURCES) return undefined
  const clock = new Map<Source, number>()
  for (const [source, sequence] of pairs) {
    if (!isSource(source) || !isSequence(sequence)) return undefined
    clock.set(source, sequence)
  }
  return clock
}
