/** A command line as a person types it, where it needs nothing of a shell but quotes and `>`. */
export interface TypedLine {
  /** Its words, the program's name included. */
  readonly words: readonly string[]
  /** The file that its output goes to. */
  readonly into?: string
}

/** What a shell does more with: pipes, substitutions, several commands. */
const OF_SHELLS = /[|&;<`]|\$\(/

/** @returns undefined where only a shell can run it */
export function parseTypedLine(line: string): TypedLine | undefined {
  const said = line.replace(/ # .*$/, '')
  if (OF_SHELLS.test(said.replaceAll(/'[^']*'/g, ''))) return undefined
  const [command = '', into] = said.split(/ > (?=[^'"]+$)/)
  const words = Array.from(
    command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
    ([, single, double, bare = '']) => single ?? double ?? bare,
  )
  return { words, ...(into !== undefined && { into }) }
}
