import { once } from 'node:events'

import { untilNextRound, type Clock, type Random } from '../../lib/clock.ts'
import type { Actuator } from '../actuator.ts'
import { seededRandom } from './seeded-random.ts'
import type { SensorEvent, SensorKind } from '../kinds.ts'
import type { Sensor, TellEvent } from '../sensor.ts'
import {
  advance,
  DEFAULT_PHYSICS,
  fridgeAt,
  withDefrost,
  withPower,
  withTarget,
  type FridgePhysics,
  type FridgeState,
} from './simulated-fridge.ts'

/** The kinds of sensor that a simulated fridge has. */
export const SIMULATED_KINDS = ['door', 'temperature'] as const satisfies readonly SensorKind[]

export interface SimulatedFridgeOptions {
  readonly clock: Clock
  readonly random: Random
  /** Where the noise and the door start from, instead of `random`: the same seed, the same run. */
  readonly seed?: number | undefined
  /** The room, °C. Default 22. */
  readonly ambient?: number | undefined
  /** The temperature to hold, and that of the air at the start, °C. Default 4. */
  readonly target?: number | undefined
  /** Between two readings, ms. Default 1000. */
  readonly readingIntervalMs?: number | undefined
  /** How often somebody opens the door, on average, each hour. Default 0: only by hand. */
  readonly doorOpensPerHour?: number | undefined
  /** How long such an opening lasts, on average, ms. Default 20000. */
  readonly doorOpenMs?: number | undefined
  /** The greatest error of a reading, °C. Default 0.03. */
  readonly noise?: number | undefined
}

/** A fridge that exists only here. Disposing it stops the visitor who opens its door. */
export interface SimulatedFridge extends Disposable {
  /** Its door and its thermometer, under those names. */
  readonly sensors: readonly Sensor[]
  readonly actuator: Actuator
  /** The fridge as it is now. */
  state(): FridgeState
  /** A sensor of the door, under any name. All such sensors watch the same door. */
  doorSensor(name: string): Sensor
  /** A sensor of the air, under any name. */
  temperatureSensor(name: string): Sensor
  /** By hand; does nothing when the door is open. */
  openDoor(): void
  /** By hand; does nothing when the door is closed. */
  closeDoor(): void
}

/** Silence of a thermometer that must be a fault: three readings missed, and ten seconds. */
const silenceOf = (intervalMs: number): number => 3 * intervalMs + 10_000

/** Open a simulated fridge. Time passes for it as `clock` says, watched or not. */
export function openSimulatedFridge(options: SimulatedFridgeOptions): SimulatedFridge {
  const { clock, readingIntervalMs = 1_000, noise = 0.03 } = options
  const random = options.seed === undefined ? options.random : seededRandom(options.seed)
  const physics: FridgePhysics = {
    ...DEFAULT_PHYSICS,
    ambient: options.ambient ?? DEFAULT_PHYSICS.ambient,
  }
  let fridge = fridgeAt(options.target ?? 4)
  let reckonedAt = clock.monotonic()
  let doorMovedAt = clock.now()
  const doorWatchers = new Set<TellEvent>()

  const state = (): FridgeState => {
    const now = clock.monotonic()
    fridge = advance(fridge, physics, now - reckonedAt)
    reckonedAt = now
    return fridge
  }
  const change = (next: FridgeState): void => {
    // What switches at once (the heater stops the compressor) shows at once.
    fridge = advance(next, physics, 0)
  }
  const doorEvent = (): SensorEvent => ({
    type: fridge.isDoorOpen ? 'open' : 'close',
    at: doorMovedAt,
  })
  const moveDoor = (isDoorOpen: boolean): void => {
    if (state().isDoorOpen === isDoorOpen) return
    change({ ...fridge, isDoorOpen })
    doorMovedAt = clock.now()
    for (const tell of doorWatchers) tell(doorEvent())
  }

  async function watchDoor(tell: TellEvent, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    doorWatchers.add(tell)
    tell(doorEvent())
    await once(signal, 'abort')
    doorWatchers.delete(tell)
  }

  async function watchTemperature(tell: TellEvent, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    let timer: Disposable | undefined
    // A timer alone, and no sleep: promises and listeners of the signal, each second anew, are a
    // noticeable part of what a node costs that is left alone.
    const read = (): void => {
      const value = state().air + (2 * random() - 1) * noise
      tell({ type: 'reading', value: roundToHundredth(value), unit: 'C', at: clock.now() })
      if (!signal.aborted) timer = clock.after(untilNextRound(clock, readingIntervalMs), read)
    }
    read()
    if (!signal.aborted) await once(signal, 'abort')
    timer?.[Symbol.dispose]()
  }

  const doorSensor = (name: string): Sensor => ({ name, kind: 'door', watch: watchDoor })
  const temperatureSensor = (name: string): Sensor => ({
    name,
    kind: 'temperature',
    silentAfterMs: silenceOf(readingIntervalMs),
    watch: watchTemperature,
  })
  const visitor = startVisitor(options, random, moveDoor)

  return {
    sensors: [doorSensor('door'), temperatureSensor('temperature')],
    doorSensor,
    temperatureSensor,
    state,
    openDoor: () => moveDoor(true),
    closeDoor: () => moveDoor(false),
    actuator: actuatorOf({ physics, state, change }),
    [Symbol.dispose]: () => visitor[Symbol.dispose](),
  }
}

interface Actuated {
  readonly physics: FridgePhysics
  readonly state: () => FridgeState
  readonly change: (next: FridgeState) => void
}

function actuatorOf({ physics, state, change }: Actuated): SimulatedFridge['actuator'] {
  return {
    setTargetTemperature: async celsius => {
      change(withTarget(state(), celsius))
      return `target temperature set to ${celsius} °C`
    },
    defrost: async () => {
      change(withDefrost(state(), physics))
      return `defrosting for ${physics.defrostMs / 60_000} min`
    },
    powerOn: async () => {
      change(withPower(state(), true))
      return 'power is on'
    },
    powerOff: async () => {
      change(withPower(state(), false))
      return 'power is off'
    },
  }
}

/** A visitor who opens the door now and then, as a Poisson process would, and closes it again. */
function startVisitor(
  { clock, doorOpensPerHour = 0, doorOpenMs = 20_000 }: SimulatedFridgeOptions,
  random: Random,
  moveDoor: (isDoorOpen: boolean) => void,
): Disposable {
  if (doorOpensPerHour <= 0) return { [Symbol.dispose]: () => undefined }
  // Exponentially distributed; 1 - random() is never 0.
  const about = (meanMs: number): number => -Math.log(1 - random()) * meanMs
  let timer: Disposable
  const wait = (isDoorOpen: boolean): void => {
    const ms = about(isDoorOpen ? doorOpenMs : 3_600_000 / doorOpensPerHour)
    timer = clock.after(ms, () => {
      moveDoor(!isDoorOpen)
      wait(!isDoorOpen)
    })
  }
  wait(false)
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

function roundToHundredth(value: number): number {
  // Adding 0 turns -0 into 0.
  return Math.round(value * 100) / 100 + 0
}
