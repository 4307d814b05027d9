import { errorMessage } from '../lib/errors.ts'
import { checkBrokerFiles, type BrokerOptions } from '../sensors/drivers/mqtt-connection.ts'
import { programProblem } from '../sensors/drivers/program-process.ts'
import { readToken, type WebhookTarget } from './webhook.ts'

/** Who is to be told of alarms, as it is configured. */
export interface ReceiverTargets {
  readonly webhook?: WebhookTarget | undefined
  /** A program and its arguments. */
  readonly program?: readonly string[] | undefined
  readonly mqtt?: Pick<BrokerOptions, 'passwordFile' | 'caFile'> | undefined
}

/** Why a receiver of alarms can be told nothing, and what mends it. */
export interface ReceiverProblem {
  readonly text: string
  readonly fix: string
}

/** What of those who are to be told of alarms is wrong already, before there is one. */
export async function receiverProblems({
  webhook,
  program,
  mqtt,
}: ReceiverTargets): Promise<ReceiverProblem[]> {
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
  if (mqtt !== undefined) {
    await checkBrokerFiles(mqtt).catch((error: unknown) => {
      const text = `the broker is told of no alarm: ${errorMessage(error)}`
      problems.push({ text, fix: 'name files in alarms.mqtt that this user can read' })
    })
  }
  return problems
}
