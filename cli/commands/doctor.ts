import type { Command } from 'commander'
import type { NodeConfig } from '../../node/config/config.ts'
import { loadConfig } from '../../node/config/load-config.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { formatAddress, type Address } from '../../node/lib/address.ts'
import { foreignText } from '../../node/lib/foreign-text.ts'
import type { CommandContext } from '../command.ts'
import { Checkup, type Finding } from '../doctor/checkup.ts'
import { checkSeals } from '../doctor/seals.ts'
import { checkNodes } from '../doctor/cluster.ts'
import {
  checkCertificates,
  checkDatabase,
  checkPage,
  checkPort,
  checkReceivers,
  checkRemoval,
} from '../doctor/own.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { styled } from '../output/style.ts'
import {
  addTargetOptions,
  saidBy,
  targetNodes,
  type SaidIdentity,
  type TargetOptions,
} from '../target.ts'
import { certificateFolder, shownPath } from './certs-options.ts'

export interface DoctorOptions extends TargetOptions {
  readonly config?: string
  readonly name?: string
  readonly data?: string
}

/** Fill `fridge doctor`. */
export function fillDoctor(doctor: Command, { io, action }: CommandContext): void {
  addTargetOptions(doctor, 'operator')
    .option('--config <file>', 'the configuration of a node of this machine')
    .option('--name <name>', 'a node of this machine, where it has no configuration')
    .option('--data <dir>', 'folder of its database (default ./data/NAME)')
    .addHelpText('after', HELP)
    .action(action((options: DoctorOptions) => runDoctor(options, io)))
}

/** @returns 0 all is well, 1 something is wrong */
export async function runDoctor(options: DoctorOptions, io: CommandIo): Promise<ExitStatus> {
  const json = options.json === true
  const checkup = new Checkup(finding => {
    if (!json) print(finding, io)
  })
  const isNode = [options.config, options.name, io.env['FRIDGE_NAME']].some(Boolean)
  // What was typed wrong is wrong usage, not an illness.
  const named = targetNodes(options, io)
  const config = isNode ? await checkConfig(options, checkup, io) : undefined
  const certs = config?.certs ?? certificateFolder(options, io)
  const usable = await checkCertificates(certs, checkup, io)
  const runs = config !== undefined && (await checkDatabase(config, checkup, io))
  if (config !== undefined) await checkRemoval(config, checkup)
  if (config !== undefined && !runs) await checkPort(config, checkup)
  if (config !== undefined) await checkReceivers(config, checkup)
  if (config !== undefined) await checkPage(config, checkup, io)
  if (config !== undefined) await checkSeals(config, checkup, io)
  const isSaid = options.node !== undefined || Boolean(io.env['FRIDGE_NODE'])
  const own = [...(runs ? (config?.advertise.slice(0, 1) ?? []) : []), ...(config?.peers ?? [])]
  // What this machine is configured for counts, whichever node commands go to.
  const nodes = distinct([...own, ...(isSaid || config === undefined ? named : [])])
  const said = saidBy(options, io)
  const as = said.name
  const who = whoAsks(usable, config, said)
  if (who !== undefined) await checkNodes(nodes, who, checkup, io)
  else if (as !== undefined && usable.length > 0) {
    checkup.bad('nodes', `nobody called ${as} can ask them`, `fridge certs issue operator ${as}`)
  }
  if (json) io.out(JSON.stringify({ sound: checkup.isSound, checks: checkup.findings }))
  return checkup.isSound ? EXIT.done : EXIT.notDone
}

function distinct(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map(one => [formatAddress(one), one])).values()]
}

async function checkConfig(
  { config: file, name, data, certs }: DoctorOptions,
  checkup: Checkup,
  { env, cwd }: CommandIo,
): Promise<NodeConfig | undefined> {
  return checkup.attempt('configuration', async () => {
    const config = await loadConfig({ file, env, flags: { name, data, certs }, cwd })
    const from = file === undefined ? '' : ` in ${shownPath(file, cwd)}`
    checkup.good('configuration', `${config.name}${from}`)
    return config
  })
}

/** An operator sees most; else whoever there is. A node asks as itself where it has nobody else. */
function whoAsks(
  usable: readonly Credentials[],
  config: NodeConfig | undefined,
  { role: as, name }: SaidIdentity,
): Credentials | undefined {
  for (const role of ['operator', 'client', 'node'] as const) {
    if ((role === 'node' && name !== undefined) || (as !== undefined && as !== role)) continue
    const wanted = role === 'node' ? config?.name : name
    const found = usable.find(
      ({ identity }) =>
        identity.role === role && (wanted === undefined || identity.name === wanted),
    )
    if (found !== undefined) return found
  }
  return undefined
}

function print({ check, ok, text, fix }: Finding, io: CommandIo): void {
  const mark = ok ? 'ok   ' : 'WRONG'
  const shown = styled(mark, ok ? 'green' : 'red', io.hasColours)
  for (const line of text.split('\n')) io.out(`${shown}  ${check}: ${foreignText(line)}`)
  if (fix !== undefined) io.out(`         to mend it: ${fix}`)
}

const HELP = `
It looks at the certificate folder, and asks the nodes of --node, and every other that they see, as
an operator; or only the former, as whoever is there. With --config or --name also at that node: its
configuration, its database, its ports, who is told of alarms, what browsers are shown, the
passphrases of sealed sensors and, without --node, its peers.

Exit status: 0 all is well, 1 something is wrong.

Examples:
  $ fridge doctor
  $ fridge doctor --config node.yaml
  $ fridge doctor --node node-1.example.org:7443 --as maria`
