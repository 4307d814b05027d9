import { z } from 'zod'
import { isChannelName } from '../seal/format.ts'
import type { SensorsConfig } from '../sensors/registry.ts'

/** Channels of one node: a client may have to derive a key for each. */
const MAX_CHANNELS = 8

/** Channels by name: sensors whose values only the holders of a passphrase read. Default none. */
export const sealConfig = z
  .record(
    z.string(),
    z.strictObject({
      /** The sensors of the channel, by name. At least one; each in one channel at most. */
      sensors: z.array(z.string()).min(1),
      /** A file with the passphrase in one line, mode 0600, as `fridge seal passphrase` makes it.
       *  Relative to this file. Read again while the node runs: another one is in use at once. */
      passphraseFile: z.string().min(1),
    }),
  )
  .refine(channels => Object.keys(channels).length <= MAX_CHANNELS, {
    error: `at most ${MAX_CHANNELS} channels`,
  })
  .default({})

/** What is weaker than it should be, for pages that cannot do better. All of it is off by default. */
export const compatConfig = z
  .strictObject({
    /** Channels that pages may have in the format of g-crypt 1.1.0. Default none. Who stores what
     *  such a page is sent guesses the passphrase fast, reads and alters what comes with it. */
    gcrypt: z.array(z.string()).default([]),
    /** Whether pages may poll over HTTP instead of a WebSocket. Default false; costs a request for
     *  each thing that is said. With a channel in `web.compat.gcrypt`, pages with socket.io-client
     *  1 and 2 are served as well. */
    polling: z.boolean().default(false),
  })
  .prefault({})

export type SealConfig = z.output<typeof sealConfig>
export type CompatConfig = z.output<typeof compatConfig>

type Problem = [path: PropertyKey[], message: string]

/** Names that say something else to a page that hears a sensor by its name. */
const TAKEN: ReadonlySet<string> = new Set([
  'bye',
  'connect',
  'disconnect',
  'error',
  'event',
  'hello',
  'listed',
  'rights',
])

/** What is wrong between channels, sensors and what is for old pages. */
export function* sealProblems(
  seal: SealConfig,
  { gcrypt }: CompatConfig,
  sensors: SensorsConfig,
): Generator<Problem> {
  const sealed = new Map<string, string>()
  for (const [channel, own] of Object.entries(seal)) {
    if (!isChannelName(channel)) {
      yield [
        ['seal', channel],
        'another name: a lower-case letter and up to 31 of a-z, 0-9 and hyphens',
      ]
    }
    for (const [index, sensor] of own.sensors.entries()) {
      const path = ['seal', channel, 'sensors', index]
      if (!Object.hasOwn(sensors, sensor)) {
        yield [path, `one of the sensors: ${Object.keys(sensors).join(', ')}`]
      }
      const other = sealed.get(sensor)
      if (other !== undefined) yield [path, `a sensor that \`seal.${other}\` has not`]
      sealed.set(sensor, channel)
      if (gcrypt.includes(channel) && TAKEN.has(sensor)) {
        yield [path, 'a sensor with another name: pages know this one as something else']
      }
    }
  }
  for (const [index, channel] of gcrypt.entries()) {
    if (Object.hasOwn(seal, channel)) continue
    const known = Object.keys(seal).join(', ')
    const message = known === '' ? 'a channel of `seal`' : `one of the channels: ${known}`
    yield [['web', 'compat', 'gcrypt', index], message]
  }
}

/** The same channels, with the files of their passphrases where `absolute` finds them. */
export function withPassphrases(seal: SealConfig, absolute: (path: string) => string): SealConfig {
  return Object.fromEntries(
    Object.entries(seal).map(([channel, { passphraseFile, ...rest }]) => [
      channel,
      { ...rest, passphraseFile: absolute(passphraseFile) },
    ]),
  )
}
