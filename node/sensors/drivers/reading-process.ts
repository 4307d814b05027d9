import type { Clock } from '../../lib/clock.ts'
import { FridgeError } from '../../lib/errors.ts'
import { LineSplitter } from './lines.ts'
import { startProgram } from './program-process.ts'

/** What became of a read. */
export type FileContent =
  /** `text`: one character a byte; one more than `MAX_FILE_BYTES` where the file is longer. */
  { type: 'read'; text: string } | { type: FileFault }

const FILE_FAULTS = ['missing', 'denied', 'not a file', 'failed'] as const

export type FileFault = (typeof FILE_FAULTS)[number]

/** sysfs gives one page; a longer file is something else. */
export const MAX_FILE_BYTES = 4_096

/** A process that reads one file at a time. */
export interface ReadingProcess {
  /** @throws FridgeError `ERR_CLOSED` when the process ends instead */
  read(path: string): Promise<FileContent>
  /** End it, whatever it does. Resolves when it has ended; a read that hangs may keep it for ever. */
  kill(): Promise<void>
}

/**
 * Reads a line `NUMBER PATH`, and answers with the content of the file and a line `NUMBER OUTCOME`.
 * One `read` of the file only, because each may start the device. A shell takes a fortieth of the
 * memory that another Node.js would.
 */
const SCRIPT = `
while IFS= read -r request; do
  number=\${request%% *} path=\${request#* }
  if [ ! -e "$path" ]; then outcome=missing
  elif [ ! -f "$path" ]; then outcome='not a file'
  elif [ ! -r "$path" ]; then outcome=denied
  elif dd if="$path" bs=${MAX_FILE_BYTES + 1} count=1 2>/dev/null; then outcome=read
  else outcome=failed
  fi
  printf '\\n%s %s\\n' "$number" "$outcome"
done`

/** @throws FridgeError `ERR_CONFIG` when it cannot be started */
export async function startReadingProcess(
  clock: Clock,
  env: NodeJS.ProcessEnv | undefined,
): Promise<ReadingProcess> {
  const argv = ['sh', '-c', SCRIPT]
  // It is killed, never asked to end.
  const program = await startProgram(argv, { clock, env, hasInput: true, killAfterMs: 0 })
  const lines = new LineSplitter(MAX_FILE_BYTES + 1)
  let number = 0
  let content: string[] = []
  let answer = Promise.withResolvers<FileContent>()

  const onLine = (line: Uint8Array): void => {
    const text = Buffer.from(line).toString('latin1')
    const before = `${number} `
    const outcome = text.startsWith(before) ? text.slice(before.length) : undefined
    if (outcome === 'read') answer.resolve({ type: 'read', text: content.join('\n') })
    else if (isFileFault(outcome)) answer.resolve({ type: outcome })
    else content.push(text)
  }
  const onEnd = (cause?: unknown): void =>
    answer.reject(new FridgeError('ERR_CLOSED', 'the process that reads has ended', { cause }))
  program.stderr.resume()
  program.stdout.on('close', onEnd).on('data', (chunk: Uint8Array) => {
    try {
      lines.write(chunk, onLine)
    } catch (error) {
      onEnd(error)
    }
  })
  return {
    read: async path => {
      number += 1
      content = []
      answer = Promise.withResolvers()
      if (program.stdout.destroyed) onEnd()
      program.stdin?.write(`${number} ${path}\n`)
      return answer.promise
    },
    kill: async () => program.kill(),
  }
}

function isFileFault(outcome: unknown): outcome is FileFault {
  return (FILE_FAULTS as readonly unknown[]).includes(outcome)
}
