import type { NodeConfig } from '../config/config.ts'
import { makePassphraseCommand, readPassphrase } from '../seal/passphrase-file.ts'
import { Seals, type SealsOptions } from '../seal/seals.ts'

/** Open the channels of a configuration. @throws FridgeError `ERR_KEY_FILE` */
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
  return Seals.open({ ...options, channels })
}
