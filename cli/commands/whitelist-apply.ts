import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { displaySubject, isAuthor, type Subject } from '../../node/identity/names.ts'
import { errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { shellWord } from '../../node/lib/shell-word.ts'
import type { SubjectReport } from '../../node/operators/subjects.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { parseListFile, type ListedGrant } from '../list-file.ts'
import { connectOperator } from '../operator.ts'
import { count } from '../table.ts'
import { differences, termsOfAll } from './kept-terms.ts'
import { sensorDoubts } from './sensor-doubt.ts'
import { runChanges, type WhitelistChangeOptions } from './whitelist-change.ts'

export interface WhitelistApplyOptions extends WhitelistChangeOptions {
  /** Shows what would be changed, and changes nothing. Default false. */
  readonly dryRun?: boolean
  /** Removes who is let in and not in the file. Default false. */
  readonly prune?: boolean
  /** Not to be asked first. Default false. */
  readonly yes?: boolean
}

/** What makes the list what a file says it is. */
interface ListDifference {
  readonly added: readonly ListedGrant[]
  readonly changed: readonly (ListedGrant & { readonly lines: readonly string[] })[]
  readonly removed: readonly Subject[]
  /** Who is let in, is not in the file, and stays. */
  readonly kept: number
  /** What of it is likely misspelt, for people: it is asked about with all the rest. */
  readonly doubts: readonly string[]
}

/**
 * Make the list what a file says: shows the difference, asks, and changes it, removals first.
 * Exit status: 0 every node has applied it, or nothing differs; 1 some have not confirmed it, or it
 * differs and was only to be shown.
 */
export async function runWhitelistApply(
  file: string,
  options: WhitelistApplyOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const grants = parseListFile(await readList(file, io), file)
  const difference = await compare(grants, options, io)
  const { added, changed, removed, doubts } = difference
  const all = added.length + changed.length + removed.length
  if (options.json === true && (options.dryRun === true || all === 0)) {
    const names = (some: readonly { subject: Subject }[]) => some.map(({ subject }) => subject)
    io.out(JSON.stringify({ added: names(added), changed: names(changed), removed }))
  } else if (options.json !== true) print(difference, file, io)
  for (const doubt of doubts) io.err(doubt)
  if (all === 0) return EXIT.done
  if (options.dryRun === true) return EXIT.notDone
  await assertWanted(all, options, io)
  try {
    return await makeDifference(difference, options, io)
  } catch (error) {
    const flags = options.prune === true ? ' --prune' : ''
    const again = `fridge whitelist apply ${shellWord(file)}${flags}`
    io.err(`what is left to change, by name: ${again} --dry-run; to go on: the same command again`)
    throw error
  }
}

async function makeDifference(
  { added, changed, removed }: ListDifference,
  options: WhitelistApplyOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const gone = await runChanges(
    { kind: 'revocation', subjects: removed },
    options,
    io,
    async ({ subject }) => ({ kind: 'revocation', subject }),
  )
  const wanted = new Map([...added, ...changed].map(one => [one.subject, one]))
  const granted = await runChanges(
    { kind: 'grant', subjects: [...wanted.keys()] },
    options,
    io,
    async ({ subject }) => {
      const { terms = {}, reason } = wanted.get(subject) ?? {}
      return { kind: 'grant', subject, terms, ...(reason !== undefined && { reason }) }
    },
  )
  return gone === EXIT.done ? granted : gone
}

async function readList(file: string, { cwd }: CommandIo): Promise<string> {
  try {
    return await readFile(resolve(cwd, file), 'utf8')
  } catch (cause) {
    throw new FridgeError('ERR_USAGE', `${file} cannot be read: ${errorMessage(cause)}`, {
      cause,
      fix: `name a file; to begin with one: fridge whitelist export --out ${file}`,
    })
  }
}

async function compare(
  grants: readonly ListedGrant[],
  options: WhitelistApplyOptions,
  io: CommandIo,
): Promise<ListDifference> {
  const wanted = new Map(grants.map(grant => [grant.subject, grant]))
  const changed: (ListedGrant & { lines: string[] })[] = []
  const rest: Subject[] = []
  await using operator = await connectOperator(options, io)
  for await (const report of operator.subjects()) {
    const { subject, standing } = report
    if (standing !== 'granted' || isAuthor(subject)) continue
    const grant = wanted.get(subject)
    wanted.delete(subject)
    if (grant === undefined) {
      rest.push(subject)
      continue
    }
    const lines = differenceOf(report, grant, io.clock.now())
    if (lines.length > 0) changed.push({ ...grant, lines })
  }
  const isPruned = options.prune === true
  const added = [...wanted.values()]
  const sensors = [...added, ...changed].flatMap(({ terms }) => terms.sensors ?? [])
  const doubts = await sensorDoubts([...new Set(sensors)], operator)
  return {
    added,
    changed,
    removed: isPruned ? rest : [],
    kept: isPruned ? 0 : rest.length,
    doubts: doubts.map(({ doubt }) => doubt),
  }
}

function differenceOf({ grants }: SubjectReport, { terms }: ListedGrant, now: number): string[] {
  const before = termsOfAll(grants)
  const lines = differences(before, terms, now)
  // The same number of other keys reads alike.
  if (lines.length > 0 || keysOf(before.keys) === keysOf(terms.keys)) return lines
  return ['  keys: others']
}

function keysOf(keys: readonly string[] | undefined): string | undefined {
  return keys?.toSorted().join(' ')
}

function print(
  { added, changed, removed, kept }: ListDifference,
  file: string,
  io: CommandIo,
): void {
  for (const subject of removed) io.out(`- ${displaySubject(subject)}`)
  for (const { subject, terms } of added) {
    io.out(`+ ${displaySubject(subject)}`)
    for (const line of differences({}, terms, io.clock.now())) {
      io.out(line.replace(/ \(before: .*\)$/, ''))
    }
  }
  for (const { subject, lines } of changed) {
    io.out(`~ ${displaySubject(subject)}`)
    for (const line of lines) io.out(line)
  }
  if (added.length + changed.length + removed.length === 0) io.out(`the list is as ${file} says`)
  if (kept === 0) return
  const who = kept === 1 ? 'that is let in is not' : 'that are let in are not'
  io.err(`${count(kept, 'name')} ${who} in ${file}; --prune removes`)
}

/** @throws FridgeError `ERR_USAGE` when it is not wanted, or nobody can be asked */
async function assertWanted(
  all: number,
  { yes, json }: WhitelistApplyOptions,
  { confirm }: CommandIo,
): Promise<void> {
  if (yes === true) return
  if (confirm === undefined || json === true) {
    throw new FridgeError('ERR_USAGE', `nothing was changed: nobody can be asked`, {
      fix: 'should this be wanted: --yes; to see it only: --dry-run',
    })
  }
  if (await confirm(`Make ${count(all, 'change')}?`)) return
  throw new FridgeError('ERR_USAGE', 'nothing was changed', { fix: 'to see it only: --dry-run' })
}
