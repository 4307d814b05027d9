import { shellWord } from '../../node/lib/shell-word.ts'
import {
  CERTS_DIR,
  DATA_DIR,
  SERVICE,
  SERVICE_USER,
  serviceUnit,
  type UnitOptions,
} from './unit.ts'

export interface ServiceNode {
  readonly name: string
  /** The name of its machine, by which others reach it. */
  readonly host: string
}

export interface InstallationOptions extends UnitOptions {
  /** The node, for a configuration that is not there yet. */
  readonly node?: ServiceNode | undefined
}

const UNIT_FILE = `/etc/systemd/system/${SERVICE}`

/**
 * The shell script that makes a node a service of systemd: its user, its folders, its configuration
 * where there is none, its unit. Run again, it changes only the unit. It starts nothing: the node
 * may have no certificate yet.
 */
export function installationScript({ node, ...unit }: InstallationOptions): string {
  const config = shellWord(unit.config)
  return `set -eu
getent passwd ${SERVICE_USER} >/dev/null || useradd --system --user-group \\
  --home-dir ${DATA_DIR} --no-create-home --shell /usr/sbin/nologin ${SERVICE_USER}
install -d -m 0750 -o root -g ${SERVICE_USER} /etc/fridge
install -d -m 0700 -o ${SERVICE_USER} -g ${SERVICE_USER} ${CERTS_DIR} ${DATA_DIR}
${node === undefined ? '' : configStep(config, node)}${writeFile(UNIT_FILE, serviceUnit(unit))}
# In an image, or a folder that is none yet, no systemd runs that could read it.
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
systemctl enable ${SERVICE}
`
}

function configStep(config: string, node: ServiceNode): string {
  return `if [ ! -e ${config} ]; then
  ${writeFile(config, nodeConfig(node))}
  chown root:${SERVICE_USER} ${config}
  chmod 0640 ${config}
fi
`
}

/** The configuration that a node of a service starts with. */
export function nodeConfig({ name, host }: ServiceNode): string {
  return `# fridge node start --config; all keys: README.md, "Configuration of a node".
name: ${name}
listen: 0.0.0.0:7443
advertise: [${host}:7443] # where others reach it
# peers: [node-2.example.org:7443]   nodes to start from
`
}

/** Whoever reads the file meanwhile sees the old text or the new. @param file a word of the shell */
function writeFile(file: string, text: string): string {
  return `cat >${file}.new <<'END_OF_FILE'
${text}END_OF_FILE
mv ${file}.new ${file}`
}
