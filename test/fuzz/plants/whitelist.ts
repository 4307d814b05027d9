import { inFile, type Bug, type Plant } from './plant.ts'

const OPEN: readonly Bug[] = [
  {
    name: 'changes that no operator signed',
    find: 'if (!isOperators)',
    put: 'if (false)',
    isSample: true,
  },
  { name: 'changes that no node signed', find: 'if (!isNodes)', put: 'if (false)' },
  { name: 'changes signed by anybody', find: 'if (objection !== undefined)', put: 'if (false)' },
  {
    name: 'a change at another place',
    find: 'if (place.source === source && place.sequence === sequence) return one',
    put: 'return one',
  },
  {
    name: 'signatures of any form',
    find: 'if (!isSignature(operatorSignature) || !isSignature(nodeSignature))',
    put: 'if (false)',
  },
]

const ENTRY: readonly Bug[] = [
  {
    name: 'changes under other certificates of their signers',
    find: "['entry', operatorCertificate, nodeCertificate, text]",
    put: "['entry', text]",
  },
]

const UPDATE: readonly Bug[] = [
  {
    name: 'entries with more fields',
    find: 'if (Object.keys(fields).length !== FIELDS)',
    put: 'if (false)',
  },
  {
    name: 'strays with more fields',
    find: "if (Object.keys(rest).length > 0) return 'a stray",
    put: "if (false) return 'a stray",
  },
]

const CHANGE: readonly Bug[] = [
  {
    name: 'texts that are not canonical',
    find: 'if (encodeChange(change) !== text)',
    put: 'if (false)',
  },
  {
    name: 'a change that is no JSON throws',
    find: "} catch {\n    return 'a change is not JSON'",
    put: '} catch (error) {\n    throw error',
  },
  {
    name: 'changes that link to nothing',
    find: "if (sequence === 1 ? previous !== '' : !isHash(previous))",
    put: 'if (false)',
  },
  { name: 'wishes of any form', find: 'if (!isWish(wish))', put: 'if (false)' },
  {
    name: 'anything is granted',
    find: "if (!isGranted) return 'only",
    put: "if (false) return 'only",
  },
  { name: 'lists of anything seen', find: 'if (!isSeen(seen))', put: 'if (false)' },
]

const HEADS: readonly Bug[] = [
  { name: 'heads of any source', find: 'if (!isSource(source) || !Array', put: 'if (!Array' },
  {
    name: 'heads of any values',
    find: "if (!isSequence(sequence) || typeof hash !== 'string' || hash.length > 64)",
    put: 'if (false)',
  },
  { name: 'heads of any length', find: ' || head.length !== 2', put: '' },
  { name: 'heads with anything else', find: 'Object.keys(rest).length > 0 || ', put: '' },
]

const HEAD_COMPARISON: readonly Bug[] = [
  { name: 'heads again and again', find: 'if (compared.has(source))', put: 'if (false)' },
]

const REPLICA: readonly Bug[] = [
  {
    name: 'updates with more fields',
    find: "rest.length > 0 ? 'an update has too many fields' : ",
    put: '',
  },
]

const INBOX: readonly Bug[] = [
  { name: 'a bad change is passed over', find: "if (one !== 'stale') refuse(from, one)", put: '' },
  { name: 'what does not fit is passed over', find: 'refuse(from, strays)\n', put: '\n' },
]

const DURABLE_LIST: readonly Bug[] = [
  {
    name: 'changes are not passed on',
    find: 'for (const { entry } of applied) this.#options.publish(entry)',
    put: '',
  },
]

const HEARD_SOURCES: readonly Bug[] = [
  {
    name: 'changes behind a hole',
    find: "if (sequence !== (head?.sequence ?? 0) + 1) return 'gap'",
    put: '',
  },
  {
    name: 'changes that are not linked',
    find: "if (previous !== (head?.hash ?? '')) return 'unlinked'",
    put: '',
  },
  {
    name: 'another change at a place that is taken',
    find: "return hash === head.hash ? 'stale' : 'fork'",
    put: "return 'stale'",
  },
]

const SUBJECT_STATES: readonly Bug[] = [
  {
    name: 'grants that stay when their author is removed',
    find: 'const grants = state.grants.filter(grant => !this.#isVoid(grant))',
    put: 'const grants = state.grants',
  },
]

const WHITELIST: readonly Bug[] = [
  {
    name: 'changes that have seen what is not here',
    find: "return this.holdsSeen(entry.change) ? 'next' : 'unseen'",
    put: "return 'next'",
  },
  {
    name: 'changes that have seen what nobody has made',
    find: 'if (!this.#subjects.stands(subject, id) && !this.#log.has(subject, id)) return false',
    put: '',
  },
  {
    name: 'removals up to what nobody has made',
    find: "return change.kind === 'grant' || this.#authors.holdsUpTo(change)",
    put: 'return true',
  },
  {
    name: 'void grants that let in',
    find: '}, isNew && !this.isVoid(entry))',
    put: '}, isNew)',
  },
  {
    name: 'a removal that is signed again shuts out again',
    find: '}, isNew && !this.isVoid(entry))',
    put: '}, !this.isVoid(entry))',
  },
  {
    name: 'strays without proof',
    find: 'return against !== undefined && conflicts(entry, against)',
    put: 'return true',
  },
]

const STANDING: readonly Bug[] = [
  {
    name: 'grants that a later one does not replace',
    find: '...grants.filter(({ id }) => !seen.includes(id))',
    put: '...grants',
  },
]

const MERGE: readonly Bug[] = [
  {
    name: 'grants that have missed a removal',
    find: 'if (!isFrontier || !(hasSeenGrant || seen.isSupersetOf(revocations))) return undefined',
    put: '',
  },
  {
    name: 'removals that leave the grants',
    find: 'return { grants: [], revocations: replaceIds(left, id, change.seen) }',
    put: 'return { grants, revocations: replaceIds(left, id, change.seen) }',
  },
  {
    name: 'removals that forget the ones before',
    find: 'replaceIds(left, id, change.seen)',
    put: 'replaceIds(NOTHING, id, change.seen)',
  },
]

const AUTHORS: readonly Bug[] = [
  {
    name: 'what a removed author granted stays',
    find: 'if (last === undefined || sequence > last.sequence) return false',
    put: 'if (last === undefined) return true\n    if (sequence > last.sequence) return false',
  },
  {
    name: 'the node of a grant may be removed',
    find: "    const authors = [\n      subjectOf('operator', change.operator),\n      subjectOf('node', nodeOf(change.source)),\n    ]",
    put: "    const authors = [subjectOf('operator', change.operator)]",
  },
]

const SIGNERS: readonly Bug[] = [
  {
    name: 'signers of any authority',
    find: 'const path = pathOf(leaf, { intermediates, trusted: authorities(), usages })',
    put: 'const path = { issuers: [leaf], notBefore: 0, notAfter: Infinity }',
  },
  { name: 'chains of any form', find: 'if (!isChain(chain))', put: 'if (false)' },
]

export const WHITELIST_PLANTS: readonly Plant[] = [
  ...inFile('gossip', 'whitelist/open.ts', OPEN),
  ...inFile('gossip', 'whitelist/entry.ts', ENTRY),
  ...inFile('gossip', 'gossip/update.ts', UPDATE),
  ...inFile('gossip', 'whitelist/change.ts', CHANGE),
  ...inFile('gossip', 'whitelist/heads.ts', HEADS),
  ...inFile('gossip', 'gossip/head-comparison.ts', HEAD_COMPARISON),
  ...inFile('gossip', 'gossip/replica.ts', REPLICA),
  ...inFile('gossip', 'gossip/inbox.ts', INBOX),
  ...inFile('gossip', 'gossip/durable-list.ts', DURABLE_LIST),
  ...inFile('gossip', 'whitelist/heard-sources.ts', HEARD_SOURCES),
  ...inFile('gossip', 'whitelist/subject-states.ts', SUBJECT_STATES),
  ...inFile('gossip', 'whitelist/whitelist.ts', WHITELIST),
  ...inFile('gossip', 'whitelist/merge.ts', MERGE),
  ...inFile('gossip', 'whitelist/standing-grants.ts', STANDING),
  ...inFile('gossip', 'whitelist/authors.ts', AUTHORS),
  ...inFile('gossip', 'identity/signers.ts', SIGNERS),
]
