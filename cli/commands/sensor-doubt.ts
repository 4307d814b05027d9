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
  for (const { sensor, guess, doubt } of await sensorDoubts(sensors, operator)) {
    if (confirm === undefined) {
      throw new FridgeError('ERR_USAGE', doubt, { fix: 'should it be meant: add --force' })
    }
    progress('')
    if (await confirm(`${doubt} Grant ${sensor} all the same?`)) continue
    throw new FridgeError('ERR_USAGE', 'nothing was granted', { fix: `--sensor ${guess}` })
  }
}

/** A sensor that no node has, the one that was likely meant, and that as a question for people. */
interface SensorDoubt {
  readonly sensor: string
  readonly guess: string
  readonly doubt: string
}

/** Which of these sensors no node has, where one is called nearly the same. */
export async function sensorDoubts(
  sensors: readonly string[],
  operator: Pick<OperatorConnection, 'vitals'>,
): Promise<SensorDoubt[]> {
  if (sensors.length === 0) return []
  const known = await knownSensors(operator)
  return sensors.flatMap(sensor => {
    const guess = known.has(sensor) ? undefined : nearest(sensor, known)
    if (guess === undefined) return []
    const doubt = `no node has a sensor ${JSON.stringify(sensor)}; did you mean ${guess}?`
    return [{ sensor, guess, doubt }]
  })
}

/** The sensors of all nodes, as far as they tell; a node names those of which it has room to tell. */
async function knownSensors(operator: Pick<OperatorConnection, 'vitals'>): Promise<Set<string>> {
  const known = new Set<string>()
  for (const vitals of (await operator.vitals()).values()) {
    for (const { sensor } of vitals?.sensors ?? []) known.add(sensor)
  }
  return known
}
