import { isSequence } from '../events/told-sensor.ts'
import { isSource, type Source } from '../identity/names.ts'
import { isRecord } from '../lib/record.ts'
import { isSensorName } from '../sensors/sensor.ts'
import type { Hello } from '../wire/control.ts'

/** How far a client that comes back to a run of a node has heard it. */
export interface Resume {
  readonly run: Source
  /** The number of the last event that it has had, by sensor. */
  readonly sensors: ReadonlyMap<string, number>
}

/** What a client says first. */
export interface ClientHello {
  readonly resume?: Resume
  /** Whether it knows the events of sealed sensors: others are not told of these sensors. */
  readonly knowsSealed: boolean
}

/** The most sensors that a client may name. */
const MAX_SENSORS = 64

/**
 * Check the hello of a client (PROTOCOL.md, "Resuming"). Fields that are not known are ignored.
 * @returns why it is refused
 */
export function parseClientHello({ resume, sealed }: Hello): ClientHello | string {
  const knowsSealed = sealed === true
  if (resume === undefined) return { knowsSealed }
  if (!isRecord(resume)) return 'a hello resumes what is no run'
  const { run, sensors } = resume
  if (!isSource(run)) return 'a hello resumes what is no run'
  if (!isRecord(sensors)) return 'a hello resumes no sensors'
  const entries = Object.entries(sensors)
  if (entries.length > MAX_SENSORS) return `a hello resumes more than ${MAX_SENSORS} sensors`
  const heard = new Map<string, number>()
  for (const [name, sequence] of entries) {
    if (!isSensorName(name) || !isSequence(sequence)) return 'a hello resumes a malformed sensor'
    heard.set(name, sequence)
  }
  return { resume: { run, sensors: heard }, knowsSealed }
}
