import type { Command } from 'commander'
import type { CommandContext } from '../command.ts'
import { addTargetOptions, collect, type TargetOptions } from '../target.ts'
import { runNodeBackup, type NodeBackupOptions } from './node-backup.ts'
import { runNodeForget } from './node-forget.ts'
import { runNodeInstallService, type InstallServiceOptions } from './node-install-service.ts'
import { addFolderOptions } from './node-options.ts'
import { runNodeStart, type NodeStartOptions } from './node-start.ts'
import type { NodeVerifyOptions } from './node-verify.ts'

/** Fill `fridge node`. */
export function fillNode(node: Command, context: CommandContext): void {
  fillStart(node, context)
  const { io, action } = context
  node
    .command('install-service')
    .description('make the node of this machine a service of systemd: user, folders and unit')
    .option('--name <name>', 'the name in its certificate, where it has no configuration yet')
    .option('--config <file>', 'its configuration (default /etc/fridge/node.yaml)')
    .option('--dry-run', 'print the shell script that does it, and do nothing')
    .addHelpText('after', INSTALL_SERVICE_HELP)
    .action(action((options: InstallServiceOptions) => runNodeInstallService(options, io)))

  const forget = node
    .command('forget')
    .description('forget a node that was lost and will not come back; its name stays free')
    .argument('<name>', 'a node that cannot be reached')
  addTargetOptions(forget, 'operator')
    .addHelpText('after', FORGET_HELP)
    .action(action((name: string, options: TargetOptions) => runNodeForget(name, options, io)))

  const backup = node
    .command('backup')
    .description('copy the database of a node on this machine, also while it runs')
    .argument('<file>', 'where the copy goes; only its owner may read it')
  addFolderOptions(backup)
    .option('--force', 'replace a file that is there')
    .option('--json', 'print JSON')
    .addHelpText('after', BACKUP_HELP)
    .action(action((file: string, options: NodeBackupOptions) => runNodeBackup(file, options, io)))

  const verify = node
    .command('verify')
    .description('check the whole database of a stopped node, or a copy; changes nothing')
    .argument('[file]', "a copy; default the node's own database")
  addFolderOptions(verify)
    .option('--certs <dir>', 'certificate folder (default ./certs); it needs only its ca')
    .option('--json', 'print JSON')
    .addHelpText('after', VERIFY_HELP)
    .action(
      action(async (file: string | undefined, options: NodeVerifyOptions) => {
        // Only now: a node that starts would load what reads and issues certificates.
        const { runNodeVerify } = await import('./node-verify.ts')
        return runNodeVerify(file, options, io)
      }),
    )
}

function fillStart(node: Command, { io, action }: CommandContext): void {
  node
    .command('start')
    .description('serve until SIGINT or SIGTERM; a second one does not wait')
    .option('--config <file>', 'configuration, YAML or JSON; flags and FRIDGE_… go over it')
    .option('--name <name>', 'the name in its certificate')
    .option('--listen <host:port>', 'where to listen (default 127.0.0.1:7443)')
    .option(
      '--advertise <host:port>',
      'where others reach it; repeat for more (default --listen)',
      collect,
    )
    .option('--peer <host:port>', 'a node to start from; repeat for more', collect)
    .option('--certs <dir>', 'certificate folder (default ./certs)')
    .option('--data <dir>', 'folder of its database (default ./data/NAME)')
    .option(
      '--metrics <host:port>',
      'where to serve metrics and health, or off (default 127.0.0.1:9464 if it is free)',
    )
    .option(
      '--web <host:port>',
      'where browsers find the page, or off (default 127.0.0.1:8443 if it is free)',
    )
    .option(
      '--log-level <level>',
      'trace, debug, info, warn, error, fatal or silent (default info)',
    )
    .option(
      '--log-format <format>',
      'pretty for people, json for programs (default pretty on a terminal, or FRIDGE_LOG_FORMAT)',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ fridge node start --name node-1
  $ fridge node start --name node-2 --listen 127.0.0.1:7444 --peer 127.0.0.1:7443
  $ fridge node start --config node.yaml`,
    )
    .action(action((options: NodeStartOptions) => runNodeStart(options, io)))
}

const INSTALL_SERVICE_HELP = `
The service starts with the machine, and is ready when the node serves: until then, systemctl status
fridge says why it does not. It is started again when its process ends, or hangs. Run again, this
keeps the configuration and writes the unit anew.

Examples:
  $ sudo fridge node install-service --name node-1
  $ fridge node install-service --name node-1 --dry-run`

const FORGET_HELP = `
Status, doctor and changes wait for it no more, on any node. Its key can still join: should the node
have been stolen, remove it instead: fridge whitelist remove node/NAME. One that was stopped in
order is left, and holds nothing back.

Examples:
  $ fridge node forget node-3
  $ fridge node forget node-3 --node node-1.example.org:7443 --as maria`

const BACKUP_HELP = `
Keys and certificates are not in it: copy the certificate folder by itself.

To restore a copy, stop the node, put the copy in the place of its database, and start the node:
  $ cp copy.db data/node-1/whitelist.db
  $ rm -f data/node-1/whitelist.db-wal data/node-1/whitelist.db-shm
  $ fridge node start --name node-1 --peer node-2.example.org:7443
Whoever was removed since the copy was made stays out: before it lets anyone in, the node takes
from its peers what it lacks. Start it with a --peer. Without one, or with none in reach within
gossip.firstSyncMs, it knows only what is in the copy.

Examples:
  $ fridge node backup copy.db --data data/node-1
  $ fridge node backup "whitelist-$(date +%F).db" --config node.yaml`

const VERIFY_HELP = `
It checks the file, each change's text, place, seal and link to the one before it, both of its
signatures (by certificates that lead to ca/certificate.pem; one that has expired since counts for
the time when it was valid), and the list. The list is not stored: a node builds it from the log
at each start. Here it is built the same way and compared with what the rules say of the log.

What it cannot see: that the newest changes were cut off, because an older copy of the file looks
the same. The next exchange with a peer brings them back; fridge status shows how many each holds.

Exit status: 0 sound, 1 not sound, 4 a node is running on it.

Examples:
  $ fridge node verify --data data/node-1
  $ fridge node verify copy.db --certs /etc/fridge/certs --json`
