import type { NodeConfig } from '../config/config.ts'
import { makePassphraseCommand, readPassphrase } from '../seal/passphrase-file.ts'
import { Seals, type SealsOptions } from '../seal/seals.ts'

/** Open the channels of a configuration, and say which are weak. @throws FridgeError `ERR_KEY_FILE` */
export async function openSeals(
  { seal, web }: Pick<NodeConfig, 'seal' | 'web'>,
  options: Omit<SealsOptions, 'channels'>,
): Promise<Seals> {
  const channels = Object.entries(seal).map(([channel, { sensors, passphraseFile }]) => ({
    channel,
    sensors,
    hasGcrypt: web.compat.gcrypt.includes(channel),
    passphrase: async () =>
      readPassphrase(passphraseFile, makePassphraseCommand(channel, passphraseFile)),
  }))
  for (const channel of web.compat.gcrypt) {
    options.log.warn(
      { channel, fix: 'take it out of web.compat.gcrypt when the last such page is gone' },
      'old pages are sent a channel as g-crypt encrypts it, which is soon guessed and easily altered',
    )
  }
  return Seals.open({ ...options, channels })
}
