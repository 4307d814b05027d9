import { runCommand } from './cli.ts'

/**
 * Every command line that a help text shows behind a `$`, each once: of the program, and of all
 * commands below it that help names.
 */
export async function helpExamples(path: readonly string[] = []): Promise<Set<string>> {
  const { out } = await runCommand([...path, '--help'])
  const found = new Set(Array.from(out.matchAll(/^ {2}\$ (.*)$/gm), ([, line = '']) => line))
  const [, below = ''] = /^Commands:\n((?: {2}.*\n?)+)/m.exec(out) ?? []
  for (const [, name = ''] of below.matchAll(/^ {2}([a-z][\w-]*)/gm)) {
    if (name === 'help') continue
    for (const line of await helpExamples([...path, name])) found.add(line)
  }
  return found
}
