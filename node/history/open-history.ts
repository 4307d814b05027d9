import { join } from 'node:path'
import type { NodeConfig } from '../config/config.ts'
import type { Clock, Random } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { HISTORY_FILE } from './database.ts'
import { History } from './history.ts'
import type { SigningNode } from './signing.ts'

const DAY_MS = 86_400_000

export interface OpenHistoryOptions {
  /** What the node signs with; another certificate may take its place. */
  readonly self: SigningNode
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** The history of a node, which begins when it follows the sensors. */
export function openHistory(
  { name, data, history }: Pick<NodeConfig, 'name' | 'data' | 'history'>,
  { self, clock, random, log }: OpenHistoryOptions,
): History {
  return new History({
    node: name,
    file: join(data, HISTORY_FILE),
    retention: {
      readingsMs: history.readingsDays * DAY_MS,
      minutesMs: history.minutesDays * DAY_MS,
      hoursMs: history.hoursDays * DAY_MS,
    },
    minFreeBytes: history.minFreeBytes,
    signing: () => self,
    clock,
    random,
    log,
  })
}
