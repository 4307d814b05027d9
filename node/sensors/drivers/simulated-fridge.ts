import { FridgeError } from '../../lib/errors.ts'
import { TARGET_RANGE } from '../actuator.ts'

/**
 * What a fridge is made of. Its air exchanges heat with bodies of constant temperature by Newton's
 * law of cooling; each rate is the share of the difference that is made up in one hour, were it
 * alone and kept up (1/h).
 */
export interface FridgePhysics {
  /** The room, °C. */
  readonly ambient: number
  /** Through the closed walls, 1/h. */
  readonly wallRate: number
  /** With the door open the room's rate is this times as large. */
  readonly doorFactor: number
  /** The evaporator while the compressor runs, °C. */
  readonly evaporator: number
  readonly evaporatorRate: number
  /** The defrost heater while it is on, °C. */
  readonly heater: number
  readonly heaterRate: number
  /** How long one defrost lasts, ms. */
  readonly defrostMs: number
  /** The compressor starts this far above the target and stops this far below it, °C; above 0. */
  readonly hysteresis: number
}

/**
 * A fridge that reaches -30 °C in a room of 22 °C, runs its compressor for a minute in a quarter of
 * an hour at 4 °C, warms by 3 °C in the first minute of an open door and by 4 °C in one defrost.
 */
export const DEFAULT_PHYSICS: FridgePhysics = {
  ambient: 22,
  wallRate: 0.25,
  doorFactor: 60,
  evaporator: -45,
  evaporatorRate: 1.5,
  heater: 30,
  heaterRate: 0.4,
  defrostMs: 20 * 60_000,
  hysteresis: 0.5,
}

/** Everything that a fridge is at one moment. */
export interface FridgeState {
  /** The air inside, °C. */
  readonly air: number
  /** The temperature to hold, °C. */
  readonly target: number
  readonly isPowered: boolean
  readonly isDoorOpen: boolean
  readonly isCompressorOn: boolean
  /** What is left of a defrost, ms; 0 when none is under way. The compressor rests meanwhile. */
  readonly defrostLeftMs: number
}

/** A running fridge, closed, its air at its target. */
export function fridgeAt(target: number): FridgeState {
  return {
    air: target,
    target: checkedTarget(target),
    isPowered: true,
    isDoorOpen: false,
    isCompressorOn: false,
    defrostLeftMs: 0,
  }
}

/** One year; a longer step is a mistake in the caller's clock, and would take long to work out. */
const MAX_STEP_MS = 366 * 24 * 3_600_000

/**
 * The fridge `ms` later (0 to one year). Exact for any step: between two switchings the air follows
 * an exponential, and the moments when the compressor or the heater switches are solved for. So two
 * steps end where one of their sum does.
 * @throws RangeError when `ms` is out of range
 */
export function advance(state: FridgeState, physics: FridgePhysics, ms: number): FridgeState {
  if (!(ms >= 0 && ms <= MAX_STEP_MS)) throw new RangeError(`a step of ${ms} ms`)
  let now = switched(state, physics)
  let left = ms
  for (;;) {
    const exchange = exchangeOf(now, physics)
    const threshold = thresholdOf(now, physics)
    const crossing = threshold === undefined ? Infinity : timeTo(threshold, now.air, exchange)
    const defrostEnd = now.defrostLeftMs > 0 ? now.defrostLeftMs : Infinity
    const step = Math.min(left, crossing, defrostEnd)
    const air =
      step === crossing && threshold !== undefined ? threshold : airAfter(step, now.air, exchange)
    now = switched({ ...now, air, defrostLeftMs: Math.max(now.defrostLeftMs - step, 0) }, physics)
    // At a switching with nothing left the new state stands, so the step may end there.
    if (step === left) return now
    left -= step
  }
}

/**
 * @param celsius within `TARGET_RANGE`
 * @throws FridgeError `ERR_COMMAND` for any other
 */
export function withTarget(state: FridgeState, celsius: number): FridgeState {
  return { ...state, target: checkedTarget(celsius) }
}

/** @throws FridgeError `ERR_COMMAND` when the power is off */
export function withDefrost(state: FridgeState, physics: FridgePhysics): FridgeState {
  if (!state.isPowered) {
    throw new FridgeError('ERR_COMMAND', 'cannot defrost: the power is off', {
      fix: 'fridge client call powerOn',
    })
  }
  return { ...state, defrostLeftMs: physics.defrostMs }
}

/** Without power nothing runs; a defrost that was under way is forgotten. */
export function withPower(state: FridgeState, isPowered: boolean): FridgeState {
  return { ...state, isPowered, defrostLeftMs: isPowered ? state.defrostLeftMs : 0 }
}

function checkedTarget(celsius: number): number {
  const { min, max } = TARGET_RANGE
  if (Number.isFinite(celsius) && celsius >= min && celsius <= max) return celsius
  throw new FridgeError(
    'ERR_COMMAND',
    `cannot set the target temperature to ${celsius} °C: it must be from ${min} to ${max} °C`,
    { fix: 'fridge client call setTargetTemperature 4' },
  )
}

/** Where the air would settle (°C), and how fast it goes there (1/ms). */
interface Exchange {
  readonly equilibrium: number
  readonly rate: number
}

/** Newton's law for several bodies at once is Newton's law for their mean, weighted by rate. */
function exchangeOf(state: FridgeState, physics: FridgePhysics): Exchange {
  const roomRate = physics.wallRate * (state.isDoorOpen ? physics.doorFactor : 1)
  const evaporatorRate = state.isCompressorOn ? physics.evaporatorRate : 0
  const heaterRate = state.defrostLeftMs > 0 ? physics.heaterRate : 0
  const perHour = roomRate + evaporatorRate + heaterRate
  const equilibrium =
    (roomRate * physics.ambient +
      evaporatorRate * physics.evaporator +
      heaterRate * physics.heater) /
    perHour
  return { equilibrium, rate: perHour / 3_600_000 }
}

function airAfter(ms: number, air: number, { equilibrium, rate }: Exchange): number {
  return equilibrium + (air - equilibrium) * Math.exp(-rate * ms)
}

/** When the air reaches `threshold`, ms; `Infinity` if it never does. */
function timeTo(threshold: number, air: number, { equilibrium, rate }: Exchange): number {
  const share = (threshold - equilibrium) / (air - equilibrium)
  return share > 0 && share <= 1 ? -Math.log(share) / rate : Infinity
}

/** Where the thermostat switches next, °C; undefined while it has no say. */
function thresholdOf(state: FridgeState, { hysteresis }: FridgePhysics): number | undefined {
  if (!state.isPowered || state.defrostLeftMs > 0) return undefined
  return state.isCompressorOn ? state.target - hysteresis : state.target + hysteresis
}

/** The state once the thermostat has looked at it. */
function switched(state: FridgeState, physics: FridgePhysics): FridgeState {
  const threshold = thresholdOf(state, physics)
  const isCompressorOn =
    threshold !== undefined &&
    (state.isCompressorOn ? state.air > threshold : state.air >= threshold)
  return isCompressorOn === state.isCompressorOn ? state : { ...state, isCompressorOn }
}
