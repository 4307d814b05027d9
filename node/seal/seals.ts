import type { Clock } from '../lib/clock.ts'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { ChannelKey, type PlaceInChannel } from './channel-key.ts'
import type { ChannelInfo, Sealed } from './format.ts'
import { sealGcrypt } from './gcrypt.ts'

/** A channel as a node is configured with it. */
export interface SealedChannel {
  readonly channel: string
  readonly sensors: readonly string[]
  /** Whether pages that know no better are sent it as g-crypt 1.1.0 encrypts. */
  readonly hasGcrypt: boolean
  /** Reads its passphrase. @throws FridgeError with what mends it */
  readonly passphrase: () => Promise<string>
}

export interface SealsOptions {
  readonly channels: readonly SealedChannel[]
  /** The trust domain of the node. */
  readonly domain: string
  readonly node: string
  /** This run of the node: its events are numbered within it. */
  readonly run: string
  readonly clock: Pick<Clock, 'after'>
  readonly log: Log
  /** How often passphrases are read again, in milliseconds. Default 30000. */
  readonly pollMs?: number
}

/** What has been sealed. */
export interface SealCounts {
  /** Events: each once, however many are sent it, unless its passphrase has changed since. */
  events: number
}

/** One passphrase of a channel, with what it makes. */
interface Secret {
  readonly passphrase: string
  readonly key: ChannelKey
}

const POLL_MS = 30_000

/** The sealed sensors of a node: what leaves it of them is for the holders of a passphrase alone. */
export class Seals implements AsyncDisposable {
  readonly counts: SealCounts = { events: 0 }
  readonly #options: SealsOptions
  /** By the name of the channel. */
  readonly #secrets = new Map<string, Secret>()
  /** By the name of the sensor. */
  readonly #sensors: ReadonlyMap<string, SensorSeal>
  #poll: Disposable | undefined
  #looking: Promise<void> = Promise.resolve()
  /** Why a passphrase could not be read, once it has been said. */
  readonly #said = new Map<string, string>()
  #isStopped = false

  private constructor(options: SealsOptions) {
    this.#options = options
    const { node, run } = options
    this.#sensors = new Map(
      options.channels.flatMap(({ channel, sensors, hasGcrypt }) => {
        const secret = (): Secret => this.#secretOf(channel)
        const own = { node, run, hasGcrypt, counts: this.counts, secret }
        return sensors.map(sensor => [sensor, new SensorSeal({ ...own, sensor })] as const)
      }),
    )
  }

  /** @throws FridgeError when a passphrase cannot be had: nothing is served unsealed instead */
  static async open(options: SealsOptions): Promise<Seals> {
    const seals = new Seals(options)
    for (const channel of options.channels) await seals.#read(channel)
    if (options.channels.length > 0) seals.#pollLater()
    return seals
  }

  /** What seals a sensor; undefined where it is not sealed. */
  of(sensor: string): SensorSeal | undefined {
    return this.#sensors.get(sensor)
  }

  /** The channel of a sensor; undefined where it is not sealed. */
  infoOf(sensor: string): ChannelInfo | undefined {
    return this.of(sensor)?.info
  }

  /** The key of a channel, for what is said in it beside events. */
  keyOf(channel: string): ChannelKey | undefined {
    return this.#secrets.get(channel)?.key
  }

  /** Read the passphrases again now. One that cannot be read is said, and the one before stays. */
  async reload(): Promise<void> {
    const look = this.#looking.then(async () => this.#look())
    this.#looking = look
    return look
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    this.#poll?.[Symbol.dispose]()
    await this.#looking
  }

  async #look(): Promise<void> {
    const { channels, log } = this.#options
    for (const channel of channels) {
      const name = channel.channel
      try {
        const isChanged = await this.#read(channel)
        this.#said.delete(name)
        if (isChanged) log.info({ channel: name }, 'a new passphrase is in use')
      } catch (error) {
        const reason = errorMessage(error)
        if (this.#said.get(name) === reason) continue
        this.#said.set(name, reason)
        const fix =
          error instanceof FridgeError && error.fix !== undefined ? { fix: error.fix } : {}
        const text = 'a passphrase cannot be read: the one before stays in use'
        log.error({ channel: name, reason, ...fix }, text)
      }
    }
  }

  /** @returns whether it is another than before */
  async #read({ channel, passphrase: read }: SealedChannel): Promise<boolean> {
    const passphrase = await read()
    if (this.#secrets.get(channel)?.passphrase === passphrase) return false
    const key = await ChannelKey.of({ channel, domain: this.#options.domain }, passphrase)
    this.#secrets.set(channel, { passphrase, key })
    return true
  }

  #pollLater(): void {
    const { clock, pollMs = POLL_MS } = this.#options
    this.#poll = clock.after(pollMs, () => {
      void this.reload().then(() => {
        if (!this.#isStopped) this.#pollLater()
      })
    })
  }

  #secretOf(channel: string): Secret {
    const secret = this.#secrets.get(channel)
    if (secret === undefined) throw new TypeError(`channel ${channel} is not open`)
    return secret
  }
}

interface SensorSealOptions {
  readonly sensor: string
  readonly node: string
  readonly run: string
  readonly hasGcrypt: boolean
  readonly counts: SealCounts
  readonly secret: () => Secret
}

/** Seals what one sensor says, with the passphrase that is in use then. */
export class SensorSeal {
  readonly #options: SensorSealOptions
  readonly #place: PlaceInChannel

  constructor(options: SensorSealOptions) {
    const { sensor, node, run } = options
    this.#options = options
    this.#place = { kind: 'event', node, run, about: sensor }
  }

  get info(): ChannelInfo {
    return this.#options.secret().key.info
  }

  /** Whether its events go to pages that know no better as g-crypt encrypts them. */
  get hasGcrypt(): boolean {
    return this.#options.hasGcrypt
  }

  /** @param sequence the number of the event in this run: none is sealed with two contents */
  seal(sequence: number, values: readonly unknown[]): Sealed {
    this.#options.counts.events += 1
    return this.#options.secret().key.seal(this.#place, sequence, values)
  }

  /** A page of its history. @param about what was asked for, and what nobody has asked for before */
  sealHistory(about: string, values: readonly unknown[]): Sealed {
    const place: PlaceInChannel = { ...this.#place, kind: 'history', about }
    return this.#options.secret().key.seal(place, 1, values)
  }

  /** What a page of 2016 decrypts. @param value a JSON value */
  gcrypt(value: unknown): string {
    return sealGcrypt(this.#options.secret().passphrase, value)
  }
}
