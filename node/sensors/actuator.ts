/**
 * What carries out the commands of clients. Each command answers with a short text for people.
 * @throws FridgeError `ERR_COMMAND` when the fridge cannot do it, with the reason.
 */
export interface Actuator {
  /** @param celsius degrees Celsius, within `TARGET_RANGE` */
  setTargetTemperature(celsius: number): Promise<string>
  /** Start the heater that melts the ice; it ends by itself. */
  defrost(): Promise<string>
  powerOn(): Promise<string>
  powerOff(): Promise<string>
}

/** The target temperatures that can be set, °C, both ends included. */
export const TARGET_RANGE = { min: -30, max: 15 } as const
