import { WHOLE_LIST } from '../../node/identity/names.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectOperator } from '../operator.ts'
import { count } from '../table.ts'
import {
  formatConfirmation,
  isConfirmed,
  reasonOf,
  summarize,
  waitOf,
  type WhitelistChangeOptions,
} from './whitelist-change.ts'

/**
 * Sign what the list is now, so that former authorities add nothing to it from here on.
 * Exit status: 0 every node has it, 1 some have not confirmed it.
 */
export async function runWhitelistCheckpoint(
  options: WhitelistChangeOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const wish = { kind: 'checkpoint', subject: WHOLE_LIST, ...reasonOf(options) } as const
  const waitMs = options.wait === false ? 0 : waitOf(options)
  const json = options.json === true
  await using operator = await connectOperator(options, io)
  const before = await operator.checkpoint()
  const change = await operator.change(wish, {
    waitMs,
    onConfirmed: confirmation => {
      if (waitMs > 0 && !json) io.out(formatConfirmation(confirmation))
    },
  })
  const { former } = before
  if (json) {
    const { outcome: _, ...rest } = change
    io.out(JSON.stringify({ change: wish.kind, node: operator.node, former, ...rest }))
  } else {
    const what = `a checkpoint behind ${count(before.behind, 'new change')} is`
    if (waitMs === 0) io.out(`${what} on ${operator.node}; the others follow`)
    else summarize(what, change, options, io)
    for (const key of former) io.out(`  what the authority with the key ${key} signs adds nothing`)
  }
  return waitMs === 0 || isConfirmed(change, options) ? EXIT.done : EXIT.notDone
}
