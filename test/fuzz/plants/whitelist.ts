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
    name: 'a grant that has seen its own future',
    find: 'if ((seen.get(source) ?? 0) >= sequence)',
    put: 'if (false)',
  },
  {
    name: 'anything is granted',
    find: "if (!isClient) return 'only",
    put: "if (false) return 'only",
  },
  {
    name: 'lists of anything seen',
    find: 'if (!isSource(source) || !isSequence(sequence)) return undefined',
    put: '',
  },
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

const REPLICA: readonly Bug[] = [
  { name: 'heads again and again', find: 'if (this.#compared.has(from))', put: 'if (false)' },
  {
    name: 'updates with more fields',
    find: "rest.length > 0 ? 'an update has too many fields' : ",
    put: '',
  },
  { name: 'a bad change is passed over', find: "if (one !== 'stale') refuse(from, one)", put: '' },
  { name: 'what does not fit is passed over', find: 'refuse(from, strays)\n', put: '\n' },
  {
    name: 'changes are not passed on',
    find: 'for (const { entry } of applied) this.publish(asUpdate(entry))',
    put: '',
  },
]

const WHITELIST: readonly Bug[] = [
  {
    name: 'changes behind a hole',
    find: "if (sequence !== (head?.sequence ?? 0) + 1) return 'gap'",
    put: '',
  },
  {
    name: 'changes that are not linked',
    find: "if (entry.previous !== this.headHash(source)) return 'unlinked'",
    put: '',
  },
  {
    name: 'changes that have seen what is not here',
    find: "return this.holdsSeen(entry.change) ? 'next' : 'unseen'",
    put: "return 'next'",
  },
  {
    name: 'another change at a place that is taken',
    find: "return entry.hash === head.hash ? 'stale' : 'fork'",
    put: "return 'stale'",
  },
  {
    name: 'strays without proof',
    find: 'return against !== undefined && conflicts(entry, against)',
    put: 'return true',
  },
]

const SIGNERS: readonly Bug[] = [
  { name: 'signers of any authority', find: 'if (broken !== undefined)', put: 'if (false)' },
  { name: 'chains of any form', find: 'if (!isChain(chain))', put: 'if (false)' },
]

export const WHITELIST_PLANTS: readonly Plant[] = [
  ...inFile('gossip', 'whitelist/open.ts', OPEN),
  ...inFile('gossip', 'gossip/update.ts', UPDATE),
  ...inFile('gossip', 'whitelist/change.ts', CHANGE),
  ...inFile('gossip', 'whitelist/heads.ts', HEADS),
  ...inFile('gossip', 'gossip/replica.ts', REPLICA),
  ...inFile('gossip', 'whitelist/whitelist.ts', WHITELIST),
  ...inFile('gossip', 'identity/signers.ts', SIGNERS),
]
