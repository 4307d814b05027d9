import type { NodeConfig } from '../config/config.ts'
import { GatheredLog } from '../lib/gathered-log.ts'
import type { Invitations } from '../sessions/invitations.ts'
import { CLIENT_LIMITS } from '../wire/limits.ts'
import { PageDoor } from './page-door.ts'
import { PageReception, type PageReceptionOptions } from './page-reception.ts'
import { PageServer } from './socket-io.ts'

export interface OpenPagesOptions extends Pick<
  PageReceptionOptions,
  'service' | 'sessions' | 'ownOrigins' | 'openViews' | 'relays' | 'gate' | 'log'
> {
  readonly config: Pick<NodeConfig, 'web' | 'limits'>
  /** Whether browsers reach this node, and no other, at a host. */
  readonly isOwnHost: (host: string) => boolean
  readonly invitations: Pick<Invitations, 'offer'>
  readonly counts: PageReceptionOptions['counts'] & { throttled: number }
}

/** Serve pages that connect. Only now is what it takes loaded: most nodes never see a browser. */
export async function openPages(options: OpenPagesOptions): Promise<PageServer> {
  const {
    config,
    service,
    sessions,
    counts,
    ownOrigins,
    openViews,
    relays,
    invitations,
    isOwnHost,
    gate,
    log,
  } = options
  const { maxBufferedBytes, maxStalledMs, maxFramesPerSecond } = config.limits
  const limits = { ...CLIENT_LIMITS, maxBufferedBytes, maxStalledMs, maxFramesPerSecond }
  const gathered = new GatheredLog(log, service.clock)
  const reception = new PageReception({
    service,
    sessions,
    counts,
    limits,
    maxPagesPerAddress: config.web.maxPagesPerAddress,
    ownOrigins,
    openViews,
    relays,
    door: new PageDoor({
      service,
      sessions,
      maxConnectionsPerClient: config.limits.maxConnectionsPerClient,
      isOwnHost,
      invitations,
    }),
    gate,
    log,
  })
  const { polling, gcrypt } = config.web.compat
  return new PageServer({
    compat: { polling, gcrypt: gcrypt.length > 0 },
    limits,
    clock: service.clock,
    receive: async visit => reception.receive(visit),
    onRefused: refusal => {
      counts.cut['broke the protocol'] += 1
      gathered.warn({ reason: refusal.toString() }, 'cut: a page broke the protocol')
    },
    onThrottled: () => {
      counts.throttled += 1
    },
    onClosing: () => reception.takeLeave(),
    onClosed: () => {
      reception[Symbol.dispose]()
      gathered[Symbol.dispose]()
    },
  })
}
