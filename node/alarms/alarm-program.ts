import { createInterface } from 'node:readline'
import type { Clock } from '../lib/clock.ts'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import { foreignText } from '../lib/foreign-text.ts'
import { startProgram } from '../sensors/drivers/program-process.ts'
import { toJson, type AlarmChange } from './alarm.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'

/** How long the program may take for one change of an alarm, ms. */
const DEADLINE_MS = 60_000

const KILL_AFTER_MS = 2_000

/**
 * Run a program for each change of an alarm, one after the other, until it ends with status 0; it
 * reads a line of JSON.
 * @param options `argv`: the program and its arguments
 */
export function startAlarmProgram(
  options: OutboxOptions & { readonly argv: readonly string[] },
): Outbox {
  const { argv, clock, log } = options
  return new Outbox({
    ...options,
    receiver: 'the program for alarms',
    deliver: async (change, signal) => call(argv, change, { clock, signal }),
    describe: errorMessage,
    onFailed: (how, waits) => log.warn({ how, waits }, 'the program for alarms has failed'),
    onMended: () => log.info({}, 'the program for alarms works again'),
  })
}

async function call(
  argv: readonly string[],
  change: AlarmChange,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  await using program = await startProgram(argv, {
    clock,
    killAfterMs: KILL_AFTER_MS,
    hasInput: true,
  })
  const given = Promise.withResolvers<string>()
  const stop = (): void => given.resolve(`${program.name} was ended, as the node stops`)
  signal.addEventListener('abort', stop, { once: true })
  using _deadline = clock.after(DEADLINE_MS, () =>
    given.resolve(`${program.name} took longer than ${DEADLINE_MS / 1_000} s and was ended`),
  )
  if (signal.aborted) stop()
  program.stdin?.end(`${toJson(change)}\n`)
  program.stdout.resume()
  let said = ''
  const lines = createInterface(program.stderr).on('line', line => (said = line))
  const over = new Promise<void>(resolve => void lines.once('close', resolve))
  const ended = over.then(async () => program.ended())
  const how = await Promise.race([ended, given.promise])
  signal.removeEventListener('abort', stop)
  if (how.endsWith(' ended with status 0')) return
  throw new FridgeError('ERR_COMMAND', said === '' ? how : `${how}: ${foreignText(said)}`)
}
