import { parseName } from '../../node/identity/names.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { connectOperator } from '../operator.ts'
import type { TargetOptions } from '../target.ts'

/** Let the cluster forget a node that will not come back: its name stays free. */
export async function runNodeForget(
  nameText: string,
  options: TargetOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const name = parseName(nameText)
  await using operator = await connectOperator(options, io)
  await operator.forgetNode(name)
  if (options.json === true) io.out(JSON.stringify({ forgotten: name, node: operator.node }))
  else io.out(`${name} is forgotten; should it ever be started again, it is shown again`)
  return EXIT.done
}
