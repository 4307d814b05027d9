import { pino } from 'pino'
import { formatAddress } from '../../node/lib/address.ts'
import { loadConfig } from '../../node/config/load-config.ts'
import { startNode, type RunningNode } from '../../node/start.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { prettyLine } from '../output/pretty-log.ts'
import { wantsColours } from '../output/style.ts'
import { keepTold, noticeIntervalMs } from '../service/notice.ts'
import { systemdNotify } from '../service/systemd-notify.ts'

export interface NodeStartOptions {
  readonly config?: string
  readonly name?: string
  readonly listen?: string
  readonly advertise?: readonly string[]
  readonly peer?: readonly string[]
  readonly certs?: string
  readonly data?: string
  readonly metrics?: string
  readonly web?: string
  readonly logLevel?: string
  readonly logFormat?: string
}

/** Measured: 5.7 KiB for each full handshake in which a client shows a certificate; 24.20 and 26.10 keep none. */
const LEAKING_RUNTIME = '24.21.0'

const LOST = 'lines of this log were lost: they could not be written'

/**
 * Serve until the signal aborts, and read the certificates again at each reload. Says on the first
 * line of stdout, once it serves, `fridge node NAME ready on HOST:PORT`, and on the second where its
 * page is, if it has one; logs go to stderr.
 */
export async function runNodeStart(options: NodeStartOptions, io: CommandIo): Promise<ExitStatus> {
  let running: RunningNode | undefined
  let isReloadWanted = false
  // First of all: whoever has given the node new certificates does not know how far it has come.
  using _reload = io.onReload(() => {
    isReloadWanted = true
    if (!io.signal.aborted) void running?.reload()
  })
  const { config: file, peer: peers, logFormat, ...flags } = options
  const isPretty = isPrettyWanted(logFormat, io)
  const config = await loadConfig({ file, env: io.env, flags: { ...flags, peers }, cwd: io.cwd })
  const now = (): string => new Date(io.clock.now()).toISOString()
  const hasColours = wantsColours(io.isLogRead, io.env)
  const shown = (line: string): string => (isPretty ? prettyLine(line, hasColours) : line)
  const whenLost = (lost: number): string =>
    shown(JSON.stringify({ level: 40, time: now(), node: config.name, lost, msg: LOST }))
  // Whoever reads its output may go, and its disk may be full: its clients need it all the same.
  io.serveUnheard()
  const log = pino(
    {
      level: config.logLevel,
      base: { node: config.name },
      timestamp: () => `,"time":"${now()}"`,
    },
    { write: line => io.log(shown(line.trimEnd()), whenLost) },
  )
  if (process.versions.node === LEAKING_RUNTIME) {
    log.warn(
      { fix: 'run the node on Node.js 24.20, or on a later one than this' },
      `Node.js ${LEAKING_RUNTIME} loses memory with each handshake`,
    )
  }
  const { clock, signal } = io
  await using node = await startNode(config, { log, clock, signal }).catch((error: unknown) => {
    if (signal.aborted && error === signal.reason) return undefined
    throw error
  })
  if (node === undefined) {
    log.info('stopping')
    return EXIT.done
  }
  running = node
  if (isReloadWanted) void node.reload()
  io.out(`fridge node ${node.name} ready on ${formatAddress(node.address)}`)
  if (node.page !== undefined) io.out(`page ${node.page}`)
  const stopped = new Promise<void>(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const send = systemdNotify(io)
  const everyMs = noticeIntervalMs(io.env['WATCHDOG_USEC'])
  const told = send && keepTold(node, { send, everyMs, clock, log, signal })
  await stopped
  log.info('stopping')
  await told
  return EXIT.done
}

/** A person is shown sentences, a program JSON. @throws FridgeError `ERR_USAGE` */
function isPrettyWanted(flag: string | undefined, { env, isLogRead }: CommandIo): boolean {
  const format = flag ?? (env['FRIDGE_LOG_FORMAT'] || undefined)
  if (format === undefined) return isLogRead
  if (format === 'pretty' || format === 'json') return format === 'pretty'
  throw new FridgeError('ERR_USAGE', `there is no log format ${JSON.stringify(format)}`, {
    fix: 'use pretty or json',
  })
}
