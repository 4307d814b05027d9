import type { NodeConfig } from '../config/config.ts'
import { errorMessage } from '../lib/errors.ts'
import { programProblem } from '../sensors/drivers/program-process.ts'
import { readToken } from './webhook.ts'

/** Why a receiver of alarms can be told nothing, and what mends it. */
export interface ReceiverProblem {
  readonly text: string
  readonly fix: string
}

/** What of those who are to be told of alarms is wrong already, before there is one. */
export async function receiverProblems({
  webhook,
  program,
}: Pick<NodeConfig['alarms'], 'webhook' | 'program'>): Promise<ReceiverProblem[]> {
  const problems: ReceiverProblem[] = []
  if (webhook?.tokenFile !== undefined) {
    const { tokenFile } = webhook
    await readToken(tokenFile).catch((error: unknown) => {
      const text = `the webhook is told of no alarm: ${errorMessage(error)}`
      const fix = `put the token of the webhook into ${tokenFile}, where this user can read it`
      problems.push({ text, fix })
    })
  }
  const failure = program?.[0] === undefined ? undefined : programProblem(program[0])
  if (failure !== undefined) {
    const text = `the program for alarms is told of none: ${failure.message}`
    problems.push({ text, fix: 'name one in alarms.program that this user can run' })
  }
  return problems
}
