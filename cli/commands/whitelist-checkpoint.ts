import type { CommittedChange } from '../../node/client/operator/operator-connection.ts'
import { WHOLE_LIST } from '../../node/identity/names.ts'
import type { Archived } from '../../node/operators/checkpoints.ts'
import { FridgeError } from '../../node/lib/errors.ts'
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

export interface CheckpointOptions extends WhitelistChangeOptions {
  /** Let the node move what decides nothing any more into an archive. Default false. */
  readonly archive?: boolean
}

/**
 * Sign what the list is now, so that former authorities add nothing to it from here on.
 * Exit status: 0 every node has it, 1 some have not confirmed it, so that nothing is archived.
 */
export async function runWhitelistCheckpoint(
  options: CheckpointOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  if (options.archive === true && options.wait === false) {
    throw new FridgeError('ERR_USAGE', 'only what all nodes have confirmed is archived', {
      fix: 'leave out --no-wait, or --archive',
    })
  }
  const wish = { kind: 'checkpoint', subject: WHOLE_LIST, ...reasonOf(options) } as const
  const waitMs = options.wait === false ? 0 : waitOf(options)
  const json = options.json === true
  await using operator = await connectOperator(options, io)
  const before = await operator.checkpoint()
  let isAlone = false
  const change = await operator.change(wish, {
    waitMs,
    onAlone: () => (isAlone = true),
    onConfirmed: confirmation => {
      if (waitMs > 0 && !json) io.out(formatConfirmation(confirmation))
    },
  })
  if (isAlone && hasOthers(change)) io.err(whenAlone(operator.node))
  const { former } = before
  const isDone = waitMs === 0 || isConfirmed(change, options)
  const archive = async (): Promise<Archived | undefined> =>
    options.archive === true && isDone ? operator.archive() : undefined
  if (json) {
    const archived = await archive()
    const { outcome: _, ...rest } = change
    const fields = { ...rest, ...(archived && { archived: archived.changes }) }
    io.out(JSON.stringify({ change: wish.kind, node: operator.node, former, ...fields }))
  } else {
    const what = `a checkpoint behind ${count(before.behind, 'new change')} is`
    if (waitMs === 0) io.out(`${what} on ${operator.node}; the others follow`)
    else summarize(what, change, options, io)
    for (const key of former) io.out(`  what the authority with the key ${key} signs adds nothing`)
    const archived = await archive()
    if (archived !== undefined) {
      io.out(`  ${count(archived.changes, 'change')} moved to an archive of ${operator.node}`)
    }
  }
  return isDone ? EXIT.done : EXIT.notDone
}

/** Whether there is another node than the one that proposed what was signed. */
function hasOthers({ confirmed, silent, unreachable, left }: CommittedChange): boolean {
  return [confirmed, silent, unreachable, left].flat().length > 1
}

/** That nobody else was asked whether a checkpoint states the list as it is. */
function whenAlone(node: string): string {
  return `${node} alone says that this is the list: no second node was compared with it. See that another one does not call the checkpoint untrue: fridge whitelist log --limit 1 --node OTHER:PORT; and name two the next time: --node HOST:PORT --node OTHER:PORT`
}
