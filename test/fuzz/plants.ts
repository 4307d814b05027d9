import { BATCH_PLANTS } from './plants/batches.ts'
import { CERTIFICATE_PLANTS } from './plants/certificates.ts'
import { GOSSIP_PLANTS } from './plants/gossip.ts'
import { GUEST_PLANTS } from './plants/guests.ts'
import { PAGE_PLANTS } from './plants/page.ts'
import { RELAY_PLANTS } from './plants/relay.ts'
import { RPC_PLANTS } from './plants/rpc.ts'
import { SEALED_PLANTS } from './plants/sealed.ts'
import { WIRE_PLANTS } from './plants/wire.ts'
import { WHITELIST_PLANTS } from './plants/whitelist.ts'
import type { Plant } from './plants/plant.ts'

/** Every bug that the fuzzers must find. */
export const PLANTS: readonly Plant[] = [
  ...WIRE_PLANTS,
  ...RPC_PLANTS,
  ...GOSSIP_PLANTS,
  ...WHITELIST_PLANTS,
  ...PAGE_PLANTS,
  ...RELAY_PLANTS,
  ...SEALED_PLANTS,
  ...GUEST_PLANTS,
  ...BATCH_PLANTS,
  ...CERTIFICATE_PLANTS,
]
