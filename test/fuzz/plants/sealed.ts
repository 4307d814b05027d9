import { inFile, type Plant } from './plant.ts'

/** In what opens sealed events and sealed calls. */
export const SEALED_PLANTS: readonly Plant[] = [
  ...inFile('sealed', 'seal/channel-key.ts', [
    {
      name: 'boxes without a whole tag',
      find: 'if (bytes.length < TAG_BYTES) return undefined',
      put: '',
    },
    {
      name: 'tags that are not looked at',
      find: "return parseOpened(text + decipher.final('utf8'))",
      put: 'return parseOpened(text)',
    },
  ]),
  ...inFile('sealed', 'seal/format.ts', [
    {
      name: 'boxes of any length',
      find: 'value.length <= maxLength && ',
      put: '',
    },
    {
      name: 'epochs of any length',
      find: '{11}$',
      put: '*$',
    },
    {
      name: 'boxes with what is no base64url in them',
      find: 'value.length <= maxLength && BASE64URL.test(value)',
      put: 'value.length <= maxLength',
    },
  ]),
  ...inFile('sealed', 'client/sealed-events.ts', [
    {
      name: 'events of another passphrase',
      find: 'if (key.info.epoch !== epoch)',
      put: 'if (false)',
    },
  ]),
  ...inFile('sealed', 'events/told-sensor.ts', [
    {
      name: 'sealed events without a number',
      find: 'MAX_EVENT_BOX) || !isSequence(sequence)) return undefined',
      put: 'MAX_EVENT_BOX)) return undefined',
    },
  ]),
  ...inFile('sealed', 'web/sealed-calls.ts', [
    {
      name: 'calls that are repeated',
      find: 'count > (this',
      put: 'count >= (this',
    },
    {
      name: 'calls behind later ones',
      find: 'count > (this.#counts.get(channel) ?? 0)',
      put: 'count !== this.#counts.get(channel)',
    },
    {
      name: 'calls that count though they do not open',
      find: 'const isNext = Number.isSafeInteger(count) && count > (this.#counts.get(channel) ?? 0)',
      put: 'const isNext = count > (this.#counts.get(channel) ?? 0); this.#counts.set(channel, Math.max(count, this.#counts.get(channel) ?? 0))',
    },
  ]),
]
