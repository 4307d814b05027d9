import { backoffMs } from '../../node/lib/backoff.ts'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import { displaySubject, nodeOf, parseName, parseSubject } from '../../node/identity/names.ts'
import { signaturesOf } from '../../node/identity/signature.ts'
import { headFields, type Change, type Place } from '../../node/whitelist/change.ts'
import type { ChangeFilter } from '../../node/whitelist/change-filter.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { isLastWord, isOver } from '../../node/client/last-words.ts'
import { LogClient, type LogClock } from '../../node/client/operator/log-client.ts'
import { beginningIn, holesIn, type CheckedEntry } from '../../node/client/operator/log-entry.ts'
import { formatMoment, parseMoment } from '../moment.ts'
import { count, GrowingTable } from '../table.ts'
import { targetCredentials, targetNodes, type TargetOptions } from '../target.ts'

export interface WhitelistLogOptions extends TargetOptions {
  readonly since?: string
  readonly until?: string
  readonly operator?: string
  readonly limit?: string
  readonly follow?: boolean
}

/** Losses after which `--follow` goes on at another node; anything else that one would say too. */
const PASSING = new Set(['ERR_CLOSED', 'ERR_UNREACHABLE', 'ERR_TIMEOUT', 'ERR_TOO_SLOW'])

const RETRY = { firstMs: 250, maxMs: 10_000 }

/**
 * Show who changed what, when and why, oldest first, each with its signatures checked here.
 * Exit status: 0 all that was shown is verified, 1 something is not, or was left out.
 */
export async function runWhitelistLog(
  name: string | undefined,
  options: WhitelistLogOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const filter = filterOf(name, options, io.clock.now())
  const limit = parseLimit(options.limit)
  const follow = options.follow === true
  if (follow && options.until !== undefined) {
    throw new FridgeError('ERR_USAGE', '--follow goes on for ever, --until does not', {
      fix: 'leave one of them out',
    })
  }
  const nodes = targetNodes(options, io)
  const credentials = await targetCredentials(options, 'operator', io)
  const printer = new LogPrinter(options, io)
  const isWhole = limit === Infinity && Object.keys(filter).length === 0
  const shown = new Set<string>()
  let heard: LogClock | undefined
  let first = 0
  let failures = 0
  for (;;) {
    let node = 'the nodes'
    try {
      const order = [...nodes.slice(first), ...nodes.slice(0, first)]
      await using client = await LogClient.connect(order, credentials, filter, io)
      node = client.node
      failures = 0
      if (heard === undefined) {
        // Asked for first: what comes in between is shown with these changes, and once.
        const clock = await client.clock()
        const entries = await client.newest(limit)
        printer.page(entries, follow)
        if (isWhole) printer.holes(entries, node)
        if (!follow) return printer.status
        heard = clock
        for (const { place, problem } of entries) {
          if (place !== undefined && problem === undefined) shown.add(placeText(place))
        }
      } else io.err(`going on at ${node}`)
      await client.follow(heard, entry => {
        if (entry.place === undefined || !shown.has(placeText(entry.place))) printer.entry(entry)
      })
    } catch (error) {
      if (!follow) throw error
      if (io.signal.aborted) return printer.status
      // What one node says for good is asked of another: connecting to it tells.
      const isDoubted = isLastWord(error) && !isOver(error, nodes.length)
      const isPassing = isDoubted || PASSING.has(errorCode(error) ?? '')
      if (heard === undefined || !isPassing) throw error
      if (failures === 0) io.err(`lost ${node}: ${foreignText((error as Error).message)}`)
    }
    first = (first + 1) % nodes.length
    // The first change of nodes is at once; when none answers, the tries thin out.
    failures += 1
    if (failures === 1) continue
    await io.clock.sleep(backoffMs(failures, RETRY, Math.random), io.signal).catch(() => {})
  }
}

function placeText({ source, sequence }: Place): string {
  return `${source} ${sequence}`
}

function filterOf(
  name: string | undefined,
  options: WhitelistLogOptions,
  now: number,
): ChangeFilter {
  const { since, until, operator } = options
  return {
    ...(name !== undefined && { subject: parseSubject(name) }),
    ...(operator !== undefined && { operator: parseName(operator) }),
    ...(since !== undefined && { since: parseMoment(since, now) }),
    ...(until !== undefined && { until: parseMoment(until, now) }),
  }
}

/** @throws FridgeError `ERR_USAGE` */
function parseLimit(text: string | undefined): number {
  if (text === undefined) return Infinity
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new FridgeError('ERR_USAGE', `--limit ${JSON.stringify(text)} is not a number`, {
    fix: 'give how many of the newest changes to show, for example --limit 20',
  })
}

/** Prints checked entries, for a person or as JSON, and remembers whether all was well. */
class LogPrinter {
  readonly #json: boolean
  readonly #io: CommandIo
  readonly #table: GrowingTable
  #isSound = true

  constructor({ json }: WhitelistLogOptions, io: CommandIo) {
    this.#json = json === true
    this.#io = io
    this.#table = new GrowingTable(io.out, io.columns)
  }

  get status(): ExitStatus {
    return this.#isSound ? EXIT.done : EXIT.notDone
  }

  /** @param entries newest first */
  page(entries: readonly CheckedEntry[], isFollowed: boolean): void {
    const { out, err, clock } = this.#io
    const ordered = entries.toReversed()
    if (this.#json && !isFollowed) {
      out(JSON.stringify(ordered.map(entry => this.#report(entry, clock.now()))))
    } else if (this.#json) for (const entry of ordered) this.entry(entry)
    else if (ordered.length === 0 && !isFollowed) err('no change fits')
    else {
      for (const { problem } of ordered) this.#isSound &&= problem === undefined
      this.#table.print([HEAD, ...ordered.map(entry => rowOf(entry, clock.now()))])
    }
  }

  entry(entry: CheckedEntry): void {
    const { out, clock } = this.#io
    if (this.#json) out(JSON.stringify(this.#report(entry, clock.now())))
    else {
      this.#isSound &&= entry.problem === undefined
      this.#table.print([rowOf(entry, clock.now())])
    }
  }

  /** Say what is missing in a whole log: one that begins at a checkpoint has holes behind that. */
  holes(entries: readonly CheckedEntry[], node: string): void {
    const begins = beginningIn(entries)?.change
    const isBegun = holesIn(entries).length > holesIn(entries, begins?.heads).length
    const holes = holesIn(entries, begins?.heads)
    if (begins !== undefined && isBegun) {
      const { at, operator } = begins
      this.#io.err(
        `the log of ${node} begins at the checkpoint of ${formatMoment(at)} by ${operator}: of what changed before, ${node} holds what still decides; another node may show the rest`,
      )
      this.#isSound = false
    }
    for (const hole of holes) this.#io.err(`${node} does not show all: ${hole}`)
    if (holes.length > 0) this.#isSound = false
  }

  #report(entry: CheckedEntry, now: number): object {
    const { sent, change, place, problem } = entry
    this.#isSound &&= problem === undefined
    const verified = problem === undefined
    return {
      ...(change !== undefined && reportChange(change)),
      ...(place !== undefined && { source: place.source, sequence: place.sequence }),
      effect: effectOf(entry, now),
      isStray: sent.isStray,
      verified,
      ...(verified ? {} : { problem }),
      evidence: { text: sent.text, ...signaturesOf(sent) },
    }
  }
}

function reportChange(change: Change): object {
  const { subject, kind, operator, at, reason, source } = change
  const terms = detailsOf(change)
  const why = reason === undefined ? {} : { reason }
  return { subject, kind, operator, at, ...why, ...terms, node: nodeOf(source) }
}

function detailsOf(change: Change): object {
  if (change.kind === 'grant') return change.terms
  if (change.kind === 'revocation') return {}
  const { heads, state, subjects, former } = change
  return { heads: headFields(heads), state, subjects, former }
}

/** What the node says that a change does now, read by this machine's clock. */
function effectOf({ sent, change }: CheckedEntry, now: number): string {
  const expiresAt = change?.kind === 'grant' ? change.terms.expiresAt : undefined
  return sent.effect === 'in effect' && (expiresAt ?? Infinity) <= now ? 'expired' : sent.effect
}

const HEAD = ['WHEN', 'OPERATOR', 'CHANGE', 'NAME', 'NODE', 'EFFECT', 'SIGNATURES', 'TERMS', 'WHY']

function rowOf(entry: CheckedEntry, now: number): string[] {
  const { change, problem } = entry
  const signatures = problem === undefined ? 'verified' : `NOT VERIFIED: ${foreignText(problem)}`
  if (change === undefined) return ['', '', 'unreadable', '', '', '', signatures]
  const { at, operator, kind, subject, source, reason = '' } = change
  return [
    formatMoment(at),
    operator,
    kind,
    displaySubject(subject),
    nodeOf(source),
    effectOf(entry, now),
    signatures,
    termsTextOf(change),
    foreignText(reason),
  ]
}

function termsTextOf(change: Change): string {
  if (change.kind === 'grant') return termsOf(change.terms)
  if (change.kind === 'revocation') return ''
  const { heads, subjects, former } = change
  return `${count(subjects, 'name')} at ${count(heads.size, 'source')}, former authorities: ${former.length}`
}

function termsOf({ sensors, commands, keys, expiresAt, public: isPublic, views }: TermsOf): string {
  const terms: string[] = []
  if (sensors !== undefined) terms.push(`sensors ${sensors.join(' ') || 'none'}`)
  if (commands !== undefined) terms.push(`commands ${commands.join(' ') || 'none'}`)
  if (keys !== undefined) terms.push(`keys ${keys.map(key => key.slice(0, 12)).join(' ')}`)
  if (views !== undefined) terms.push(`views ${views.join(' ') || 'none'}`)
  if (isPublic === true) terms.push('without signing in')
  if (expiresAt !== undefined) terms.push(`until ${formatMoment(expiresAt)}`)
  return terms.join(', ') || 'all'
}

type TermsOf = Extract<NonNullable<CheckedEntry['change']>, { kind: 'grant' }>['terms']
