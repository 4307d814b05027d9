import type { SensorInfo } from '../events/told-sensor.ts'
import { allows, type Rights } from './admission.ts'
import type { Service } from './service.ts'

/** The sensors of a node that somebody may read, as they are told them. */
export function toldSensors(
  { sensors, seals }: Pick<Service, 'sensors' | 'seals'>,
  { sensors: allowed }: Pick<Rights, 'sensors'>,
): SensorInfo[] {
  return sensors
    .filter(({ name }) => allows(allowed, name))
    .map(({ name, kind }) => {
      const sealed = seals.infoOf(name)
      return sealed === undefined ? { name, kind } : { name, kind, sealed }
    })
}
