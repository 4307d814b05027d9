import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  pbkdf2,
  pbkdf2Sync,
  type KeyObject,
} from 'node:crypto'
import { promisify } from 'node:util'
import { keepNewest } from '../lib/keep-newest.ts'
import {
  boundText,
  EPOCH_BYTES,
  epochText,
  KEY_BYTES,
  keyText,
  nonceOf,
  normalPassphrase,
  paddedText,
  parseOpened,
  ROUNDS,
  saltText,
  TAG_BYTES,
  type ChannelInfo,
  type Sealed,
  type SealPlace,
} from './format.ts'

type ChannelName = Pick<ChannelInfo, 'channel' | 'domain'>

/** A place within a channel that is known already. */
export type PlaceInChannel = Omit<SealPlace, 'channel' | 'epoch'>

/** Keys of places that are kept: each takes some 5 µs to derive again. */
const MAX_KEYS = 256

const derive = promisify(pbkdf2)

/** Seals and opens in Node.js what is of one channel, with one passphrase. Opens at once, without waiting. */
export class ChannelKey {
  readonly info: ChannelInfo
  readonly #master: KeyObject
  readonly #keys = new Map<string, KeyObject>()

  private constructor(name: ChannelName, master: Buffer) {
    this.#master = createSecretKey(master)
    const epoch = Buffer.from(hkdfSync('sha256', this.#master, '', epochText(name), EPOCH_BYTES))
    this.info = { ...name, epoch: epoch.toString('base64url') }
  }

  /** Derive it: 0.15 s of processor time, beside the main thread. */
  static async of(name: ChannelName, passphrase: string): Promise<ChannelKey> {
    const words = normalPassphrase(passphrase)
    return new ChannelKey(name, await derive(words, saltText(name), ROUNDS, KEY_BYTES, 'sha256'))
  }

  /** The same, while everything waits: for a client that has events to open in order. */
  static ofNow(name: ChannelName, passphrase: string): ChannelKey {
    const words = normalPassphrase(passphrase)
    return new ChannelKey(name, pbkdf2Sync(words, saltText(name), ROUNDS, KEY_BYTES, 'sha256'))
  }

  /** @param sequence must be another for each box of a place */
  seal(where: PlaceInChannel, sequence: number, values: readonly unknown[]): Sealed {
    const place = this.#placeOf(where)
    const cipher = createCipheriv('aes-256-gcm', this.#keyOf(place), nonceOf(sequence))
    cipher.setAAD(Buffer.from(boundText(place, sequence)))
    const text = cipher.update(paddedText(values), 'utf8')
    cipher.final()
    const box = Buffer.concat([text, cipher.getAuthTag()]).toString('base64url')
    return { epoch: this.info.epoch, box }
  }

  /** @returns undefined where it was not sealed so, at that place, with that number */
  open(where: PlaceInChannel, sequence: number, box: string): unknown[] | undefined {
    const place = this.#placeOf(where)
    const bytes = Buffer.from(box, 'base64url')
    if (bytes.length < TAG_BYTES) return undefined
    const decipher = createDecipheriv('aes-256-gcm', this.#keyOf(place), nonceOf(sequence))
    decipher.setAAD(Buffer.from(boundText(place, sequence)))
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      const text = decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, 'utf8')
      return parseOpened(text + decipher.final('utf8'))
    } catch {
      return undefined
    }
  }

  #placeOf(where: PlaceInChannel): SealPlace {
    const { channel, epoch } = this.info
    return { ...where, channel, epoch }
  }

  #keyOf(place: SealPlace): KeyObject {
    const text = keyText(place)
    const kept = this.#keys.get(text)
    if (kept !== undefined) return kept
    const bytes = Buffer.from(hkdfSync('sha256', this.#master, '', text, KEY_BYTES))
    const key = createSecretKey(bytes)
    keepNewest(this.#keys, text, key, MAX_KEYS)
    return key
  }
}
