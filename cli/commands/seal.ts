import type { Command } from 'commander'
import { examples, type CommandContext } from '../command.ts'
import { runSealPassphrase, type SealPassphraseOptions } from './seal-passphrase.ts'

/** Fill `fridge seal`. */
export function fillSeal(seal: Command, { io, action }: CommandContext): void {
  seal
    .command('passphrase')
    .description(
      'make the passphrase of a channel of sealed sensors: six words, in a file of mode 0600',
    )
    .argument('<channel>', 'its name in `seal` of the configuration of a node')
    .option('--out <file>', 'where to write it (default ./seal/CHANNEL.txt)')
    .option('--force', 'in the place of the one that is there')
    .addHelpText('after', HELP)
    .action(
      action(async (channel: string, options: SealPassphraseOptions) =>
        runSealPassphrase(channel, options, io),
      ),
    )
}

const HELP = `
The words are never printed. Copy the file to each node that seals in the channel, and hand the words,
by a way of your own, to those who may read its sensors: they type them into a page, or give the file
to client watch. A node takes up another passphrase by itself; who holds the one before then reads
nothing new.
${examples(
  'fridge seal passphrase kitchen',
  'fridge seal passphrase kitchen --force',
  'fridge client watch --passphrase-file seal/kitchen.txt',
)}`
