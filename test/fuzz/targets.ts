import type { Target } from './target.ts'
import { openBatches } from './targets/batches.ts'
import { openCertificates } from './targets/certificates.ts'
import { openEmitter } from './targets/emitter.ts'
import { openGossip } from './targets/gossip.ts'
import { openGuests } from './targets/guests.ts'
import { openLines } from './targets/lines.ts'
import { openMux } from './targets/mux.ts'
import { openPage } from './targets/page.ts'
import { openRelay } from './targets/relay.ts'
import { openRpcClient } from './targets/rpc-client.ts'
import { openRpc } from './targets/rpc.ts'
import { openSealed } from './targets/sealed.ts'

/** The layers, from the bytes up. */
export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  lines: openLines,
  mux: openMux,
  emitter: openEmitter,
  rpc: openRpc,
  'rpc-client': openRpcClient,
  gossip: openGossip,
  page: openPage,
  relay: openRelay,
  sealed: openSealed,
  guests: openGuests,
  batches: openBatches,
  certificates: openCertificates,
}
