import { inFile, type Bug, type Plant } from '../../fuzz/plants/plant.ts'

const EXCHANGE: readonly Bug[] = [
  {
    name: 'the word of one node is enough for a list that begins at a checkpoint',
    find: 'const WITNESSES = 2',
    put: 'const WITNESSES = 1',
  },
]

const PLAN: readonly Bug[] = [
  {
    name: 'the last grant of an author leaves the log',
    find: 'return [...displaced].filter(one => this.#letGo(one)).map(one => one.change)',
    put: 'return isMovable ? [row.change] : []',
  },
  {
    name: 'what a checkpoint states leaves the log',
    find: '      !isStated &&\n',
    put: '',
  },
  {
    name: 'removals of operators and nodes leave the log',
    find: "      !('upTo' in change) &&\n",
    put: '',
  },
]

const CUT: readonly Bug[] = [
  {
    name: 'the heads of a checkpoint leave the log',
    find: 'new Set(this.entry.change.heads.values().map(({ hash }) => hash))',
    put: 'new Set<string>()',
  },
  {
    name: 'former authorities that let in where logs are archived',
    find: '&& !this.covers(entry) && this.isFormer(entry)',
    put: '&& false',
  },
]

const SENDING: readonly Bug[] = [
  {
    name: 'spent entries are left out of a state',
    find: 'if (isCovered || hash === base.checkpoint) yield',
    put: 'if ((isCovered && !base.spent.has(hash)) || hash === base.checkpoint) yield',
  },
]

const CHECKPOINT_CALLS: readonly Bug[] = [
  {
    name: 'a log is archived before all nodes have the checkpoint',
    find: 'if (lacking.length === 0) return',
    put: 'if (lacking.length >= 0) return',
  },
]

const ARCHIVING: readonly Bug[] = [
  {
    name: 'a log is archived behind a newer checkpoint than the one that all nodes have',
    find: 'if (this.checkpoint() !== held)',
    put: 'if (false)',
  },
  {
    name: 'a list that runs does not go on from where its log begins now',
    find: 'if (begun !== undefined)',
    put: 'if (false && begun !== undefined)',
  },
]

const BEGINNING: readonly Bug[] = [
  {
    name: 'a part of a state is a log after a crash',
    find: "  if (database.noted(BEGINNING) !== 'yes') return\n",
    put: "  if (database.noted(BEGINNING) !== 'never') return\n",
  },
]

const SECOND: readonly Bug[] = [
  {
    name: 'an operator signs what one node says that the list was',
    find: "return isSame ? undefined : 'state'",
    put: 'return isSame ? undefined : undefined',
  },
]

const CHECKS: readonly Bug[] = [
  {
    name: 'a node says what the list was where it does not hold it',
    find: 'list.canStateAt(heads) ? this',
    put: 'heads.size >= 0 ? this',
  },
]

/** Every bug that the schedules of newcomers and archives must find. */
export const NEWCOMER_PLANTS: readonly Plant[] = [
  ...inFile('newcomers', 'gossip/state-exchange.ts', EXCHANGE),
  ...inFile('newcomers', 'whitelist/archive-plan.ts', PLAN),
  ...inFile('newcomers', 'whitelist/cut.ts', CUT),
  ...inFile('newcomers', 'gossip/state-sending.ts', SENDING),
  ...inFile('newcomers', 'operators/checkpoints.ts', CHECKPOINT_CALLS),
  ...inFile('newcomers', 'gossip/archiving.ts', ARCHIVING),
  ...inFile('newcomers', 'client/operator/second-node.ts', SECOND),
  ...inFile('newcomers', 'gossip/checkpoint-checks.ts', CHECKS),
  ...inFile('newcomers', 'storage/stored-beginning.ts', BEGINNING),
]
