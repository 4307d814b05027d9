/** The user that the node runs as, and the group that may read its configuration. */
export const SERVICE_USER = 'fridge'
/** The name of the service, as systemctl takes it. */
export const SERVICE = 'fridge.service'
export const CONFIG_FILE = '/etc/fridge/node.yaml'
export const CERTS_DIR = '/etc/fridge/certs'
export const DATA_DIR = '/var/lib/fridge'

export interface UnitOptions {
  /** What runs `fridge`, all paths absolute. */
  readonly program: readonly string[]
  /** The configuration of the node, absolute. */
  readonly config: string
}

/**
 * The systemd unit of a node. It may read its configuration and its certificates, write its data,
 * and open sockets; the rest of the machine is out of its reach.
 */
export function serviceUnit({ program, config }: UnitOptions): string {
  const command = [...program, 'node', 'start', '--config', config]
  const quoted = command.map(unitWord).join(' ')
  const path = config.replaceAll('%', '%%')
  return UNIT.replace('COMMAND', () => quoted).replace('CONFIG', () => path)
}

/** A word of a command line of systemd (systemd.service(5), "Command lines"). */
function unitWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  if (/^[\w@%$+=:,./-]+$/.test(plain)) return plain
  return `"${plain.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`
}

const UNIT = `[Unit]
Description=fridge: a node of sensors
Documentation=man:fridge(1)
Wants=network-online.target
After=network-online.target
ConditionPathExists=CONFIG
# Nobody may be there to start it again: it never gives up.
StartLimitIntervalSec=0

[Service]
Type=notify
# systemd-notify(1), which the node runs, tells systemd how the node is.
NotifyAccess=all
ExecStart=COMMAND
# By the shell: a small Debian has no /bin/kill.
ExecReload=/bin/sh -c "kill -HUP $$MAINPID"
# Without word for this long, the process hangs, or its threads do.
WatchdogSec=60
TimeoutStartSec=120
# Longer than limits.drainMs.
TimeoutStopSec=30
Restart=on-failure
RestartSec=5
# A configuration that is wrong is not mended by another start.
RestartPreventExitStatus=2
KillMode=mixed

User=${SERVICE_USER}
Group=${SERVICE_USER}
UMask=0077
ConfigurationDirectory=fridge
ConfigurationDirectoryMode=0750
StateDirectory=fridge
StateDirectoryMode=0700
WorkingDirectory=${DATA_DIR}
Environment=NODE_ENV=production
Environment=FRIDGE_CERTS=${CERTS_DIR}
Environment=FRIDGE_DATA=${DATA_DIR}
LimitNOFILE=65536
# A copy of the memory would hold the key.
LimitCORE=0

# What it cannot do, however it is broken into. There is no MemoryDenyWriteExecute: V8 compiles.
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
# Lines of GPIO are devices; no others but the harmless ones (null, random…).
DevicePolicy=closed
DeviceAllow=char-gpiochip rw
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`
