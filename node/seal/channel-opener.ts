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
  type ChannelInfo,
  type SealPlace,
} from './format.ts'

type PlaceInChannel = Omit<SealPlace, 'channel' | 'epoch'>

/** Keys of places that are kept. */
const MAX_KEYS = 256

const TEXT = new TextEncoder()

/** A key of WebCrypto, by the name that neither Node.js nor a browser gives it alone. */
type Key = Parameters<typeof crypto.subtle.deriveBits>[1]

/**
 * Opens and seals what is of one channel, with one passphrase, by WebCrypto: in a browser, where no
 * script can read the keys that it makes.
 */
export class ChannelOpener {
  readonly info: ChannelInfo
  readonly #master: Key
  readonly #keys = new Map<string, Promise<Key>>()

  private constructor(info: ChannelInfo, master: Key) {
    this.info = info
    this.#master = master
  }

  /** Derive it, in some 0.2 s. Whether the passphrase is the right one, `info.epoch` says. */
  static async of(
    name: Pick<ChannelInfo, 'channel' | 'domain'>,
    passphrase: string,
  ): Promise<ChannelOpener> {
    const { subtle } = crypto
    const words = TEXT.encode(normalPassphrase(passphrase))
    const typed = await subtle.importKey('raw', words, 'PBKDF2', false, ['deriveBits'])
    const salt = TEXT.encode(saltText(name))
    const stretching = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: ROUNDS }
    const bits = await subtle.deriveBits(stretching, typed, KEY_BYTES * 8)
    const master = await subtle.importKey('raw', bits, 'HKDF', false, ['deriveBits', 'deriveKey'])
    const epoch = await subtle.deriveBits(hkdf(epochText(name)), master, EPOCH_BYTES * 8)
    return new ChannelOpener({ ...name, epoch: toBase64url(new Uint8Array(epoch)) }, master)
  }

  /** @returns undefined where it was not sealed so, at that place, with that number */
  async open(where: PlaceInChannel, sequence: number, box: string): Promise<unknown[] | undefined> {
    const place = this.#placeOf(where)
    const key = await this.#keyOf(place)
    try {
      const text = await crypto.subtle.decrypt(gcm(place, sequence), key, fromBase64url(box))
      return parseOpened(new TextDecoder('utf-8', { fatal: true }).decode(text))
    } catch {
      return undefined
    }
  }

  /** @param sequence must be another for each box of a place */
  async seal(where: PlaceInChannel, sequence: number, values: readonly unknown[]): Promise<string> {
    const place = this.#placeOf(where)
    const key = await this.#keyOf(place)
    const text = TEXT.encode(paddedText(values))
    const box = await crypto.subtle.encrypt(gcm(place, sequence), key, text)
    return toBase64url(new Uint8Array(box))
  }

  #placeOf(where: PlaceInChannel): SealPlace {
    const { channel, epoch } = this.info
    return { ...where, channel, epoch }
  }

  async #keyOf(place: SealPlace): Promise<Key> {
    const text = keyText(place)
    const algorithm = { name: 'AES-GCM', length: KEY_BYTES * 8 }
    const uses: ['encrypt', 'decrypt'] = ['encrypt', 'decrypt']
    const key =
      this.#keys.get(text) ??
      crypto.subtle.deriveKey(hkdf(text), this.#master, algorithm, false, uses)
    keepNewest(this.#keys, text, key, MAX_KEYS)
    return key
  }
}

function hkdf(text: string) {
  return { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: TEXT.encode(text) }
}

function gcm(place: SealPlace, sequence: number) {
  const additionalData = TEXT.encode(boundText(place, sequence))
  return { name: 'AES-GCM', iv: nonceOf(sequence), additionalData }
}

function toBase64url(bytes: Uint8Array): string {
  const text = btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''))
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(bytes, character => character.charCodeAt(0))
}
