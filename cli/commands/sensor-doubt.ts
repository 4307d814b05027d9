import type { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { nearest } from '../../node/lib/nearest.ts'
import type { CommandIo } from '../io.ts'

/**
 * Have a person say that a grant is meant which names a sensor that no node has, where one is called
 * nearly the same: a grant of a misspelt sensor looks like any other, and lets nobody read anything.
 * @throws FridgeError `ERR_USAGE` when it is not meant, or nobody can be asked
 */
export async function assertSensorsMeant(
  sensors: readonly string[],
  operator: Pick<OperatorConnection, 'vitals'>,
  { confirm, progress }: Pick<CommandIo, 'confirm' | 'progress'>,
): Promise<void> {
  if (sensors.length === 0) return
  const known = await knownSensors(operator)
  for (const sensor of sensors) {
    if (known.has(sensor)) continue
    const guess = nearest(sensor, known)
    if (guess === undefined) continue
    const doubt = `no node has a sensor ${JSON.stringify(sensor)}; did you mean ${guess}?`
    if (confirm === undefined) {
      throw new FridgeError('ERR_USAGE', doubt, { fix: 'should it be meant: add --force' })
    }
    progress('')
    if (await confirm(`${doubt} Grant ${sensor} all the same?`)) continue
    throw new FridgeError('ERR_USAGE', 'nothing was granted', { fix: `--sensor ${guess}` })
  }
}

/** The sensors of all nodes, as far as they tell; a node names those of which it has room to tell. */
async function knownSensors(operator: Pick<OperatorConnection, 'vitals'>): Promise<Set<string>> {
  const known = new Set<string>()
  for (const vitals of (await operator.vitals()).values()) {
    for (const { sensor } of vitals?.sensors ?? []) known.add(sensor)
  }
  return known
}
