import { MEMBER_PLANTS } from './members.ts'
import { inFile, type Bug, type Plant } from './plant.ts'

const DOCUMENT: readonly Bug[] = [
  {
    name: 'a clock that inherits',
    find: 'this.sources = Object.create(null) as Record<string, number>',
    put: 'this.sources = {}',
  },
  { name: 'listeners outlive their link', find: 'inner.destroy()', put: '' },
]

const INCOMING: readonly Bug[] = [
  {
    name: 'updates before the digest',
    find: "if (!this.#isDigested) return refuse('an update",
    put: "if (false) return refuse('an update",
  },
  {
    name: 'SYNC in any order',
    find: 'if (!this.#isDigested || this.#isSynced)',
    put: 'if (false)',
  },
  {
    name: 'a second SYNC',
    find: 'if (!this.#isDigested || this.#isSynced)',
    put: 'if (!this.#isDigested)',
  },
  {
    name: 'digests without end',
    find: "if (this.#isDigested) return refuse('a second digest')",
    put: '',
  },
  { name: 'a digest of anybody', find: 'if (!isExpected(digest.id))', put: 'if (false)' },
  {
    name: 'values of any form',
    find: 'if (problem !== undefined) return refuse(problem)',
    put: '',
  },
]

const FRAMES: readonly Bug[] = [
  {
    name: 'updates of any length',
    find: 'if (frame.length < 3 || frame.length > 4)',
    put: 'if (false)',
  },
  {
    name: 'any number is a sequence',
    find: 'if (!isPlace(sequence) || !isGossiped(source)) return undefined',
    put: 'if (!isGossiped(source)) return undefined',
  },
  {
    name: 'a clock of any values',
    find: "if (!isGossiped(source) || !isPlace(sequence)) return 'a digest",
    put: "if (false) return 'a digest",
  },
  {
    name: 'a clock of any form',
    find: "if (typeof clock !== 'object' || clock === null || Array.isArray(clock))",
    put: 'if (false)',
  },
  {
    name: 'digests with anything else',
    find: "if (Object.keys(rest).length > 0) return 'a digest has unknown fields'\n  if (!isSource(id))",
    put: 'if (!isSource(id))',
  },
  {
    name: 'frames of the trees with anything else',
    find: 'if (keys.length > 1)',
    put: 'if (false)',
  },
  {
    name: 'news without end',
    find: 'if (entries.length > MAX_ANNOUNCEMENTS)',
    put: 'if (false)',
  },
  {
    name: 'news of any place',
    find: '!isGossiped(source) || !isPlace(sequence) || rest.length > 0',
    put: 'false',
  },
  {
    name: 'wishes without end',
    find: ' && value.length <= MAX_ANNOUNCEMENTS',
    put: '',
  },
  { name: 'wishes for anything', find: '!isList || !value.every(isGossiped)', put: '!isList' },
  {
    name: 'trees of any name',
    find: 'if (isShared ? value !== true : !isName(value))',
    put: 'if (false)',
  },
]

const TREES: readonly Bug[] = [
  {
    name: 'frames of the trees before the digest',
    find: 'if (!digested) return { refused',
    put: 'if (false) return { refused',
  },
]

const DIGESTS: readonly Bug[] = [
  { name: 'buckets again and again', find: 'this.#hasHeard || isDigested', put: 'isDigested' },
  {
    name: 'buckets behind the digest',
    find: 'this.#hasHeard || isDigested',
    put: 'this.#hasHeard',
  },
  {
    name: 'buckets with anything else',
    find: 'Object.keys(rest).length > 0 ? undefined : ',
    put: '',
  },
  {
    name: 'buckets that were never said compared',
    find: "if (apart === undefined) return 'a digest compares what was not said'",
    put: 'if (apart === undefined) return {}',
  },
]

const BUCKETS: readonly Bug[] = [
  { name: 'buckets of any form', find: ' || !SUMS.test(sums)', put: '' },
  { name: 'any number of buckets', find: 'if (!isCount(count)) return undefined', put: '' },
]

const CERTIFICATES: readonly Bug[] = [
  {
    name: 'what is held is said again and again',
    find: "if (this.#hasHeard) return 'what a peer holds comes twice'",
    put: '',
  },
  { name: 'certificates held without end', find: ' && holds.length <= MAX_HELD', put: '' },
  { name: 'marks of any form', find: ' || !MARK.test(mark)', put: '' },
  {
    name: 'what is held with anything else',
    find: '!isList || Object.keys(rest).length > 0',
    put: '!isList',
  },
]

const SIGNED: readonly Bug[] = [
  {
    name: 'certificates with anything else',
    find: 'if (Object.keys(frame).length > 1)',
    put: 'if (false)',
  },
  { name: 'certificates again and again', find: 'if (shown.has(fingerprint))', put: 'if (false)' },
  {
    name: 'certificates of anybody',
    find: "if (typeof signer === 'string') return { refused: signer }",
    put: "if (typeof signer === 'string') return {}",
  },
  {
    name: 'what comes first keeps another out',
    find: 'other !== undefined && isDeepStrictEqual(other, update)',
    put: 'other !== undefined',
  },
]

const LINK: readonly Bug[] = [
  {
    name: 'streams before the hello',
    find: 'this.#source === undefined ? undefined : this.#document(stream.meta)',
    put: 'this.#document(stream.meta)',
  },
  {
    name: 'the same stream twice',
    find: 'if (this.#opened.has(stream.meta)) return false',
    put: '',
  },
  { name: 'a hello of any node', find: ' || nodeOf(source) !== this.peer.name', put: '' },
  {
    name: 'a hello of any form',
    find: '!isSource(source) || nodeOf(source) !== this.peer.name',
    put: 'false',
  },
  {
    name: 'a document is closed',
    find: "if (!this.#channel.ended) refuse('a gossip stream was closed')",
    put: '',
  },
  {
    name: 'a farewell excuses what comes behind it',
    find: " && ending.cause !== 'refused'",
    put: '',
  },
  { name: 'timers outlive the link', find: 'this.#expiry[Symbol.dispose]()', put: '' },
  {
    name: 'bad JSON in gossip goes unnoticed',
    find: 'if (frames instanceof Refusal) this.#channel.refuse(frames)\n        else for',
    put: 'if (!(frames instanceof Refusal)) for',
  },
]

const CONTROL: readonly Bug[] = [
  {
    name: 'a second hello',
    find: 'if (this.#greeted || rest.length > 0)',
    put: 'if (rest.length > 0)',
  },
  {
    name: 'a hello with more values',
    find: 'if (this.#greeted || rest.length > 0)',
    put: 'if (this.#greeted)',
  },
  {
    name: 'a hello of any kind',
    find: 'if (!isRecord(hello))',
    put: 'if (false)',
  },
  { name: 'any version', find: "if (fields['protocol'] !== PROTOCOL_VERSION)", put: 'if (false)' },
  {
    name: 'a hello is taken though it is refused',
    find: 'if (problem !== undefined) this.#refuse(problem)',
    put: '',
  },
  {
    name: 'a bye of any form',
    find: "if (typeof reason !== 'string' || typeof text !== 'string' || !isWhole)",
    put: 'if (false)',
  },
  { name: 'a beat with values', find: 'if (values.length > 0)', put: 'if (false)' },
  {
    name: 'heartbeats outlive the link',
    find: '[Symbol.dispose](): void {\n    this.#timer?.[Symbol.dispose]()',
    put: '[Symbol.dispose](): void {',
  },
]

const CONFIRMATION: readonly Bug[] = [
  {
    name: 'a confirmation in the name of another node',
    find: "if (role !== 'node' || name !== nodeOf(node)) return false",
    put: '',
  },
  {
    name: 'a confirmation that nobody signed',
    find: "return signers.verify(signer, 'confirmation', text, signature)",
    put: 'return true',
  },
  {
    name: 'changes of any kind in a confirmation',
    find: 'if (!changes.every(isAppliedChange))',
    put: 'if (false)',
  },
  {
    name: 'a confirmation for nobody',
    find: ' || !isSource(to)',
    put: '',
  },
]

const QUESTION: readonly Bug[] = [
  {
    name: 'a question in the name of another node',
    find: "if (role !== 'node' || name !== nodeOf(by)) return false",
    put: '',
  },
  {
    name: 'a question that nobody signed',
    find: "return signers.verify(signer, 'question', text, signature)",
    put: 'return true',
  },
  { name: 'questions without end', find: ' || text.length > MAX_TEXT', put: '' },
  {
    name: 'a question without a number',
    find: '!isSource(by) || !isSequence(number)',
    put: '!isSource(by)',
  },
  {
    name: 'answers of any kind',
    find: 'if (!isSequence(number) || !isCount(changes) || !isCount(clients)) return undefined',
    put: '',
  },
]

const QUESTIONS: readonly Bug[] = [
  {
    name: 'a question with more to it',
    find: 'if (Object.keys(rest).length > 0)',
    put: 'if (false)',
  },
]

const TALLY: readonly Bug[] = [
  {
    name: 'a tally for nobody',
    find: '!isSource(to) || !isSequence(applied)) return',
    put: '!isSequence(applied)) return',
  },
  { name: 'marks of any form', find: ' || !MARKS.test(text)', put: '' },
  {
    name: 'a run twice in a tally',
    find: "if (marks.size * MARK_LENGTH !== text.length) return 'a tally names a run twice'",
    put: '',
  },
  { name: 'tags of any length', find: ' || !TAG.test(tag)', put: '' },
]

const TALLIES: readonly Bug[] = [
  { name: 'tallies without end', find: ' || tallied.length > MAX_TALLIES', put: '' },
]

const RELAY: readonly Bug[] = [
  {
    name: 'confirmations without end',
    find: ' && confirmed.length <= MAX_FRAME',
    put: '',
  },
  {
    name: 'a false confirmation is passed over',
    find: "if (holds === false) return from.refuse('a confirmation is not signed by its node')",
    put: '',
  },
]

const PACKING: readonly Bug[] = [
  {
    name: 'packed frames with anything else',
    find: "if (typeof packed !== 'string' || Object.keys(rest).length > 0)",
    put: "if (typeof packed !== 'string')",
  },
  {
    name: 'packed frames that hold many times as much',
    find: 'Math.min(MAX_UNPACKED_BYTES, characters * MAX_EXPANSION)',
    put: 'MAX_UNPACKED_BYTES',
  },
  {
    name: 'SYNC in a packed frame',
    find: 'Array.isArray(frames) && frames.every(isPackable)',
    put: 'Array.isArray(frames)',
  },
  {
    name: 'packed frames that cannot be unpacked hold nothing',
    find: 'if (json === undefined) return malformed()',
    put: 'if (json === undefined) return []',
  },
]

const DENSE: readonly Bug[] = [
  {
    name: 'bytes that no piece is made of',
    find: 'return this.#bytes.isAtEnd ? Buffer.concat(read) : undefined',
    put: 'return Buffer.concat(read)',
  },
  {
    name: 'runs that were not named',
    find: 'return this.#runs[this.#text.takeNumber() ?? Infinity]',
    put: 'return this.#runs[this.#text.takeNumber() ?? Infinity] ?? NOTHING',
  },
]

export const GOSSIP_PLANTS: readonly Plant[] = [
  ...inFile('gossip', 'gossip/document.ts', DOCUMENT),
  ...inFile('gossip', 'gossip/incoming.ts', INCOMING),
  ...inFile('gossip', 'gossip/document-frames.ts', FRAMES),
  ...inFile('gossip', 'gossip/trees.ts', TREES),
  ...inFile('gossip', 'gossip/digest-exchange.ts', DIGESTS),
  ...inFile('gossip', 'gossip/digest-buckets.ts', BUCKETS),
  ...inFile('gossip', 'gossip/certificate-exchange.ts', CERTIFICATES),
  ...inFile('gossip', 'gossip/signed-document.ts', SIGNED),
  ...inFile('gossip', 'gossip/link.ts', LINK),
  ...inFile('gossip', 'gossip/frame-packing.ts', PACKING),
  ...inFile('gossip', 'gossip/dense-text.ts', DENSE),
  ...inFile('gossip', 'wire/control.ts', CONTROL),
  ...inFile('gossip', 'gossip/confirmation.ts', CONFIRMATION),
  ...inFile('gossip', 'gossip/question.ts', QUESTION),
  ...inFile('gossip', 'gossip/questions.ts', QUESTIONS),
  ...inFile('gossip', 'gossip/tally.ts', TALLY),
  ...inFile('gossip', 'gossip/tallies.ts', TALLIES),
  ...inFile('gossip', 'gossip/confirmation-relay.ts', RELAY),
  ...MEMBER_PLANTS,
]
