import type { Clock } from '../../lib/clock.ts'
import type { Sensor, SensorLog } from '../sensor.ts'
import { programSensor } from './program.ts'

export interface GpioOptions {
  readonly name: string
  readonly clock: Clock
  readonly log?: SensorLog | undefined
  /** `gpiochip0`. */
  readonly chip: string
  /** The number of the line on the chip. */
  readonly line: number
  /** The level of the line while the door is closed. */
  readonly closedWhen: 'low' | 'high'
  /** What holds the line while the contact is open, as libgpiod 2 calls it. */
  readonly bias: string
  /** The environment of the tools. Default that of the node. */
  readonly env?: NodeJS.ProcessEnv | undefined
}

/** How often the line is looked at though no edge came, s. */
const LOOK_S = 10

/** Three looks missed, and time for a slow machine. */
const SILENT_AFTER_MS = 3 * LOOK_S * 1_000 + 10_000

/**
 * Prints the level of a line, and then each edge of it, with the tools of libgpiod 1 or 2. The two
 * cannot have the line at once, so an edge between them would be missed: the line is looked at again
 * and again, which also shows that it can be read.
 */
const SCRIPT = `
chip=$1 line=$2 bias=$3
command -v gpiomon >/dev/null || { echo 'gpiomon is not installed: apt-get install gpiod' >&2; exit 127; }
case $(gpiomon --version) in
  *' v1.'*)
    [ "$bias" != disabled ] || bias=disable
    look() { gpioget --bias="$bias" "$chip" "$line"; }
    watch() { exec gpiomon --bias="$bias" --line-buffered --format=%e "$chip" "$line"; } ;;
  *)
    look() { gpioget --chip "$chip" --bias "$bias" --numeric "$line"; }
    watch() { exec gpiomon --chip "$chip" --bias "$bias" --format %e "$line"; } ;;
esac
while look || exit; do
  watch &
  sleep ${LOOK_S}
  kill "$!" || exit
  wait "$!"
done`

/** What the script prints: a level, or an edge, which libgpiod 2 numbers from 1. */
const LOW = ['0', '2']
const HIGH = ['1']

/** A contact on a line of a GPIO chip: a door. */
export function gpioSensor(options: GpioOptions): Sensor {
  const { chip, line, closedWhen, bias } = options
  const isClosedLow = closedWhen === 'low'
  return programSensor({
    ...options,
    kind: 'door',
    argv: ['sh', '-c', SCRIPT, 'sh', chip, String(line), bias],
    title: 'gpiomon',
    open: isClosedLow ? HIGH : LOW,
    closed: isClosedLow ? LOW : HIGH,
    // The option of that name is a boolean of payloads.
    closedWhen: undefined,
    silentAfterMs: SILENT_AFTER_MS,
  })
}
