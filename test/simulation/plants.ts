import { inFile, type Bug, type Plant } from '../fuzz/plants/plant.ts'

const LIST: readonly Bug[] = [
  {
    name: 'grants of removed authors that let in',
    find: '}, isNew && !this.isVoid(entry))',
    put: '}, isNew)',
  },
  {
    name: 'one wish that shuts out twice',
    find: '}, isNew && !this.isVoid(entry))',
    put: '}, !this.isVoid(entry))',
  },
  {
    name: 'a checkpoint that is found to be true changes nothing',
    find: 'if (isMore) {',
    put: 'if (false) {',
  },
]

const CUT: readonly Bug[] = [
  {
    name: 'former authorities that let in behind a checkpoint',
    find: '&& !this.covers(entry) && this.isFormer(entry)',
    put: '&& false',
  },
  {
    name: 'a checkpoint that outlives the removal of its author',
    find: 'cuts.filter(({ entry }) => !authors.isVoid(entry))',
    put: 'cuts',
  },
]

const SUBJECTS: readonly Bug[] = [
  {
    name: 'grants that stand on until the log is read',
    find: 'const grants = state.grants.filter(grant => !this.#isVoid(grant))',
    put: 'const grants = state.grants',
  },
  {
    name: 'older grants that do not come back',
    find: 'this.#states.set(subject, { ...state, grants })\n      this.#unsettled.add(subject)',
    put: 'this.#states.set(subject, { ...state, grants })',
  },
]

const STANDING: readonly Bug[] = [
  {
    name: 'grants that stand beside the one that replaces them',
    find: '...grants.filter(({ id }) => !seen.includes(id))',
    put: '...grants',
  },
]

const MERGE: readonly Bug[] = [
  {
    name: 'grants that have missed a removal and stand',
    find: 'if (!isFrontier || !(hasSeenGrant || seen.isSupersetOf(revocations))) return undefined',
    put: '',
  },
  {
    name: 'removals that let the grants stand',
    find: 'return { grants: [], revocations: replaceIds(left, id, change.seen) }',
    put: 'return { grants, revocations: replaceIds(left, id, change.seen) }',
  },
]

const CHANGE: readonly Bug[] = [
  {
    name: 'texts of one wish that are two removals',
    find: 'const text = JSON.stringify({ subject, operator, wish, seen })',
    put: 'const text = JSON.stringify({ subject, operator, wish, seen, at: change.source })',
  },
]

const AUTHORS: readonly Bug[] = [
  {
    name: 'what a removed author grants later',
    find: 'if (last === undefined || sequence > last.sequence) return false',
    put: 'if (last === undefined) return false',
  },
]

const STORE: readonly Bug[] = [
  {
    name: 'a removal that an operator asks for in vain does not act',
    find: 'this.actOn(entries, true)',
    put: '',
    isSample: true,
  },
  {
    name: 'what was refused is in the list',
    find: 'takeBackAll(merged)\n      this.actOn(entries, true)',
    put: 'this.actOn(entries, true)',
  },
  {
    name: 'a node passes on what it accepts before it is written',
    find: "const removals = entries.filter(({ change }) => change.kind === 'revocation')",
    put: 'for (const entry of entries) this.#options.publish(entry)\n    const removals = entries',
  },
]

const REPLICA: readonly Bug[] = [
  {
    name: 'what was passed over is never asked for',
    find: "this.#links.leaveMissed('this node could not store changes, and asks for them anew')",
    put: '',
  },
  {
    name: 'what peers hold otherwise is not given up',
    find: '#giveUp(first: Entry): true {',
    put: '#giveUp(first: Entry): true {\n    if (first.change.sequence > 0) return true',
  },
  {
    name: 'operators are not told what is given up',
    find: "this.#past.end('peers hold other changes at its places', entries)",
    put: "this.#past.end('peers hold other changes at its places')",
  },
]

const HEALTH: readonly Bug[] = [
  {
    name: 'a disk that works again is not believed to',
    find: 'this.#failing = undefined\n    this.#tell()',
    put: 'this.#tell()',
  },
]

const GATE: readonly Bug[] = [
  {
    name: 'the gate opens when it has waited for long',
    find: "const isServed = wholeness.isWhole && whenIsolated === 'serve'",
    put: 'const isServed = true',
  },
]

const INBOX: readonly Bug[] = [
  {
    name: 'removals that cannot be stored do not act',
    find: 'this.#options.list.actOn(opened, false)',
    put: '',
  },
  {
    name: 'the beginning of a list is a whole one',
    find: 'if (!links.isInStep(from)) onBrought(from)',
    put: '',
  },
  {
    name: 'removals over a link that was left are forgotten',
    find: 'if (links.hasLeft(from)) {\n        list.actOn([one], false)',
    put: 'if (links.hasLeft(from)) {',
  },
]

const WHOLENESS: readonly Bug[] = [
  {
    name: 'that a list is whole is noted once, however the disk is',
    find: "this.#isOwed = extent === 'whole'",
    put: '',
  },
]

const LISTED: readonly Bug[] = [
  {
    name: 'a list that tells of others is one of a node alone',
    find: 'new Set(Array.from(replica.whitelist.clock().keys(), nodeOf))',
    put: 'new Set()',
  },
]

/** Every bug that the schedules of `npm test` must find. */
export const PLANTS: readonly Plant[] = [
  ...inFile('simulation', 'whitelist/whitelist.ts', LIST),
  ...inFile('simulation', 'whitelist/cut.ts', CUT),
  ...inFile('simulation', 'whitelist/merge.ts', MERGE),
  ...inFile('simulation', 'whitelist/standing-grants.ts', STANDING),
  ...inFile('simulation', 'whitelist/change.ts', CHANGE),
  ...inFile('simulation', 'whitelist/authors.ts', AUTHORS),
  ...inFile('simulation', 'whitelist/subject-states.ts', SUBJECTS),
  ...inFile('simulation', 'gossip/durable-list.ts', STORE),
  ...inFile('simulation', 'gossip/replica.ts', REPLICA),
  ...inFile('simulation', 'gossip/inbox.ts', INBOX),
  ...inFile('simulation', 'gossip/wholeness.ts', WHOLENESS),
  ...inFile('simulation', 'gossip/storage-health.ts', HEALTH),
  ...inFile('simulation', 'gossip/join.ts', GATE),
  ...inFile('simulation', 'gossip/listed-nodes.ts', LISTED),
]
