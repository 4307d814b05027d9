import type { Command, Option } from 'commander'
import { pathOf } from '../command.ts'

/** A word that may stand where the cursor is. */
export interface Candidate {
  readonly value: string
  readonly description?: string | undefined
}

/** Names that only a cluster, a certificate folder or the contexts can tell. */
export type NameKind =
  | 'client'
  | 'origin'
  | 'node'
  | 'address'
  | 'operator'
  | 'sensor'
  | 'alarm'
  | 'command'
  | 'context'

/** What may stand where the cursor is. */
export interface Wanted {
  readonly candidates: readonly Candidate[]
  readonly names?: NameKind | undefined
  /** What each name stands behind within the word: `--node=`. */
  readonly before: string
  /** What of the word is there already, without `before`. */
  readonly prefix: string
}

/** What the arguments of commands are; of a variadic one each word. */
const ARGUMENTS = new Map<string, NameKind>([
  ...['add', 'remove', 'show', 'log', 'watch'].flatMap((verb): [string, NameKind][] => [
    [`whitelist ${verb}`, 'client'],
    [`origin ${verb}`, 'origin'],
  ]),
  ...['show', 'export', 'plot', 'report'].map((verb): [string, NameKind] => [
    `history ${verb}`,
    'sensor',
  ]),
  ...['use', 'show', 'remove'].map((verb): [string, NameKind] => [`context ${verb}`, 'context']),
  ['alarms acknowledge', 'alarm'],
  ['client call', 'command'],
  ['node forget', 'node'],
])

const VALUES = new Map<string, NameKind>([
  ['--node', 'address'],
  ['--as', 'operator'],
  ['--operator', 'operator'],
  ['--by', 'operator'],
  ['--sensor', 'sensor'],
  ['--command', 'command'],
  ['--context', 'context'],
])

/** What the options of commands take, where that is one of a few. */
const CHOICES = new Map<string, readonly string[]>([
  ['whitelist export --format', ['yaml', 'csv', 'json']],
  ['history export --format', ['csv', 'json']],
  ['history show --by', ['minute', 'hour', 'day']],
  ['node start --log-format', ['pretty', 'json']],
  ...['whitelist add', 'origin add', 'browser invite'].map((path): [string, readonly string[]] => [
    `${path} --view`,
    ['fleet', 'whitelist', 'log', 'none'],
  ]),
  ...['init', 'issue', 'rotate-ca begin'].map((verb): [string, readonly string[]] => [
    `certs ${verb} --key-type`,
    ['ecdsa', 'rsa', 'ed25519'],
  ]),
])

/**
 * What may stand where the cursor is.
 * @param words all up to the cursor, without the program's own name; the last is the one that is typed
 */
export function wantedAt(program: Command, words: readonly string[]): Wanted {
  const current = words.at(-1) ?? ''
  let command = program
  let values = 0
  let pending: Option | undefined
  for (const word of words.slice(0, -1)) {
    if (pending !== undefined) pending = undefined
    else if (word.startsWith('-')) pending = valueOption(command, word)
    else {
      const below = values === 0 ? childOf(command, word) : undefined
      if (below === undefined) values += 1
      else command = below
    }
  }
  const path = pathOf(command)
  if (pending !== undefined) return ofOption(pending, path, { before: '', prefix: current })
  const [, name = '', prefix = ''] = /^(--[\w-]+)=(.*)$/s.exec(current) ?? []
  const option = name === '' ? undefined : valueOption(command, name)
  if (option !== undefined) return ofOption(option, path, { before: `${name}=`, prefix })
  const here = { before: '', prefix: current }
  if (current.startsWith('-')) return { candidates: optionsOf(command), ...here }
  if (values === 0 && command.commands.length > 0)
    return { candidates: childrenOf(command), ...here }
  const [argument] = command.registeredArguments
  const isOver = values > 0 && argument?.variadic !== true
  return { candidates: [], names: isOver ? undefined : ARGUMENTS.get(path), ...here }
}

function ofOption({ long }: Option, path: string, word: Pick<Wanted, 'before' | 'prefix'>): Wanted {
  const choices = CHOICES.get(`${path} ${long}`)
  const candidates = choices?.map(value => ({ value: `${word.before}${value}` })) ?? []
  return { candidates, names: choices === undefined ? VALUES.get(long ?? '') : undefined, ...word }
}

/** The option that a word names, where it wants a value. */
function valueOption(command: Command, word: string): Option | undefined {
  const option = visibleOptions(command).find(({ long, short }) => word === long || word === short)
  return option !== undefined && (option.required || option.optional) ? option : undefined
}

function childOf(command: Command, word: string): Command | undefined {
  return command.commands.find(child => child.name() === word || child.aliases().includes(word))
}

function childrenOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map(child => ({ value: child.name(), description: child.description() }))
}

function optionsOf(command: Command): Candidate[] {
  return visibleOptions(command).map(({ long, short, description }) => ({
    value: long ?? short ?? '',
    description,
  }))
}

/** The options of a command, and of those above it. */
function visibleOptions(command: Command): readonly Option[] {
  const { parent } = command
  const own = command.createHelp().visibleOptions(command)
  return parent === null ? own : [...own, ...visibleOptions(parent)]
}
