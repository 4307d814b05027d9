/** A limit that readings may not pass for long. */
export interface PresetLimit {
  /** The highest, or lowest, that is well, °C. */
  readonly limit: number
  /** How long it may be passed, in milliseconds. */
  readonly forMs: number
}

export interface Preset {
  readonly high?: PresetLimit
  readonly low?: PresetLimit
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** How far within a limit readings must be to end an alarm where nothing else is said, in their unit. */
export const HYSTERESIS = 0.5

/**
 * How long nothing may be known of a sensor, or of a node, where nothing else is said, in
 * milliseconds: CDC, Vaccine Storage and Handling Toolkit, asks for a reading at least every 15
 * minutes where an hour matters.
 */
export const UNAVAILABLE_FOR_MS = 15 * MINUTE_MS

/** The names of the presets. */
export const PRESET_NAMES = ['vaccine-refrigerator', 'vaccine-freezer', 'food'] as const

export type PresetName = (typeof PRESET_NAMES)[number]

/**
 * Limits of temperatures by what is stored.
 *
 * Vaccines: the loggers of the US Vaccines for Children programme (CDC, Vaccine Storage and Handling
 * Toolkit). Food: FDA Food Code 2022. What is held cold is held at 5 °C (41 °F) or below, 3-501.16
 * (A)(2); out of that, where time alone is the control, it is served or discarded within four hours,
 * 3-501.19 (B).
 */
export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  'vaccine-refrigerator': {
    high: { limit: 8, forMs: HOUR_MS },
    low: { limit: 2, forMs: 15 * MINUTE_MS },
  },
  'vaccine-freezer': { high: { limit: -15, forMs: HOUR_MS } },
  food: { high: { limit: 5, forMs: 4 * HOUR_MS } },
}

export function isPresetName(value: unknown): value is PresetName {
  return PRESET_NAMES.some(name => name === value)
}
