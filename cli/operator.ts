import { OperatorConnection } from '../node/client/operator/operator-connection.ts'
import type { CommandIo } from './io.ts'
import { targetCredentials, targetNodes, type TargetOptions } from './target.ts'

/** Connect to the first node that answers, as the operator that a person wants to be. */
export async function connectOperator(
  options: TargetOptions,
  io: CommandIo,
): Promise<OperatorConnection> {
  const credentials = await targetCredentials(options, 'operator', io)
  return OperatorConnection.connect(targetNodes(options, io), credentials, io)
}
