import { Argument, type Command } from 'commander'
import { examples, type CommandContext } from '../command.ts'
import { namesOf, type CompletionTarget } from '../completion/names.ts'
import { SCRIPTS, SHELLS, type Shell } from '../completion/scripts.ts'
import { wantedAt, type Candidate } from '../completion/wanted.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'

/** How long a person at a key is let wait for the cluster, in milliseconds. */
const WAIT_MS = 1_000

/** Fill `fridge completion`. */
export function fillCompletion(completion: Command, { io, action }: CommandContext): void {
  completion
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      examples(
        'source <(fridge completion bash)',
        'fridge completion fish > ~/.config/fish/completions/fridge.fish',
      ),
    )
    .action(
      action(async (shell: Shell) => {
        io.out(SCRIPTS[shell])
        return EXIT.done
      }),
    )
}

/** Fill `fridge complete`, which the scripts of shells call. */
export function fillComplete(complete: Command, { io, action }: CommandContext): void {
  complete
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .argument(
      '[words...]',
      'of bash the line up to the cursor; of others its words, the last as far as typed',
    )
    .action(
      action((shell: Shell, words: string[]) =>
        runComplete(complete, shell === 'bash' ? split(words[0] ?? '').slice(1) : words, shell, io),
      ),
    )
}

async function runComplete(
  { parent }: Command,
  words: readonly string[],
  shell: Shell,
  io: CommandIo,
): Promise<ExitStatus> {
  if (parent === null) return EXIT.notDone
  const { candidates, names, before, prefix } = wantedAt(parent, words)
  const target = targetOf(words.slice(0, -1))
  const found =
    names === undefined ? [] : await namesOf({ kind: names, prefix, target, waitMs: WAIT_MS }, io)
  const all = [...candidates, ...found.map(name => ({ value: `${before}${name}` }))]
  const typed = `${before}${prefix}`
  for (const candidate of all) {
    if (candidate.value.startsWith(typed)) io.out(written(candidate, typed, shell))
  }
  return EXIT.done
}

function written({ value, description }: Candidate, typed: string, shell: Shell): string {
  // Bash takes the last of what it has split a word into at = and : for the word.
  if (shell === 'bash')
    return value.slice(Math.max(typed.lastIndexOf('='), typed.lastIndexOf(':')) + 1)
  if (shell === 'fish') return description === undefined ? value : `${value}\t${description}`
  const escaped = value.replaceAll(':', String.raw`\:`)
  return description === undefined ? escaped : `${escaped}:${description}`
}

/** A line of bash as words: quotes and backslashes keep spaces, and nothing is carried out. */
function split(line: string): string[] {
  const words = ['']
  const part = /\s+|'([^']*)'?|"((?:[^"\\]|\\.)*)"?|\\(.)|[^\s'"\\]+|\\/gs
  for (const [text, single, double, escaped] of line.trimStart().matchAll(part)) {
    if (/^\s/.test(text)) words.push('')
    else
      words.push(
        (words.pop() ?? '') + (single ?? double?.replaceAll(/\\(.)/gs, '$1') ?? escaped ?? text),
      )
  }
  return words
}

/** What words say of the cluster that they are for. */
function targetOf(words: readonly string[]): CompletionTarget {
  const said = (option: string): string[] =>
    words.flatMap((word, at) => {
      if (word.startsWith(`${option}=`)) return [word.slice(option.length + 1)]
      const next = words[at + 1]
      return word === option && next !== undefined ? [next] : []
    })
  const nodes = said('--node')
  return {
    ...(nodes.length > 0 && { node: nodes }),
    as: said('--as').at(-1),
    certs: said('--certs').at(-1),
    context: said('--context').at(-1),
  }
}
