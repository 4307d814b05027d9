import { inFile, type Bug, type Plant } from './plant.ts'

const MEMBER: readonly Bug[] = [
  {
    name: 'any number of links',
    find: 'isListOf(links, MEMBER_LIMITS.maxLinks, isSource)',
    put: 'isListOf(links, Infinity, isSource)',
  },
  {
    name: 'links to anything',
    find: 'isListOf(links, MEMBER_LIMITS.maxLinks, isSource)',
    put: 'Array.isArray(links)',
  },
  { name: 'states of any time', find: 'if (!isCount(saidAt))', put: 'if (false)' },
  {
    name: 'starts of any kind',
    find: 'if (!isCount(startedAt))',
    put: 'if (false)',
  },
  {
    name: 'keys of any form',
    find: 'tallyKey !== undefined && !isTallyKey(tallyKey)',
    put: 'false',
  },
  {
    name: 'versions of any kind',
    find: "if (typeof version !== 'string' || version.length > MEMBER_LIMITS.maxVersion)",
    put: 'if (false)',
  },
  {
    name: 'addresses of any kind',
    find: 'if (!isListOf(addresses, MEMBER_LIMITS.maxAddresses, isAddress))',
    put: 'if (false)',
  },
]

const MEMBERS: readonly Bug[] = [
  {
    name: 'members that nobody signed',
    find: 'const words = holds ? readWords(update)',
    put: 'const words = true ? readWords(update)',
  },
  {
    name: 'members signed by anybody',
    find: "if (role !== 'node' || name !== nodeOf(place))",
    put: 'if (false)',
  },
  {
    name: 'an older entry replaces a newer one',
    find: 'if (this.isKnown(update)) return\n      this.#keep',
    put: 'this.#keep',
  },
  {
    name: 'members with more fields',
    find: "if (rest.length > 0) return 'a member has too many fields'",
    put: '',
  },
  {
    name: 'members of what is no run',
    find: "if (!isRun(partAt(place).run)) return 'a member is no run'",
    put: '',
  },
  {
    name: 'a bad member is passed over',
    find: "if (typeof opened === 'string') return from.refuse(opened)",
    put: "if (typeof opened === 'string') return",
  },
]

const MEMBER_PART: readonly Bug[] = [
  {
    name: 'a member that is no JSON throws',
    find: "} catch {\n    return 'a member is not JSON'",
    put: '} catch (error) {\n    throw error',
  },
  {
    name: 'one part passes for another',
    find: 'return `${place} ${sequence}\\n${text}`',
    put: "return `${place.split('.')[0]} ${sequence}\\n${text}`",
  },
  {
    name: 'vitals without end',
    find: 'Buffer.byteLength(member) > MEMBER_LIMITS.maxVitals',
    put: 'false',
  },
]

/** In what nodes say of themselves. */
export const MEMBER_PLANTS: readonly Plant[] = [
  ...inFile('gossip', 'gossip/member-part.ts', MEMBER_PART),
  ...inFile('gossip', 'gossip/member.ts', MEMBER),
  ...inFile('gossip', 'gossip/members.ts', MEMBERS),
]
