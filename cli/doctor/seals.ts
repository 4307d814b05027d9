import type { NodeConfig } from '../../node/config/config.ts'
import { makePassphraseCommand, readPassphrase } from '../../node/seal/passphrase-file.ts'
import { shownPath } from '../commands/certs-options.ts'
import type { CommandIo } from '../io.ts'
import type { Checkup } from './checkup.ts'

/** Whether the passphrases of sealed sensors can be had. */
export async function checkSeals(
  { seal }: Pick<NodeConfig, 'seal'>,
  checkup: Checkup,
  { cwd }: Pick<CommandIo, 'cwd'>,
): Promise<void> {
  const CHECK = 'seal'
  for (const [channel, { sensors, passphraseFile }] of Object.entries(seal)) {
    await checkup.attempt(CHECK, async () => {
      await readPassphrase(passphraseFile, makePassphraseCommand(channel, passphraseFile))
      const shown = shownPath(passphraseFile, cwd)
      checkup.good(CHECK, `${channel} seals ${sensors.join(', ')} with ${shown}`)
    })
  }
}
