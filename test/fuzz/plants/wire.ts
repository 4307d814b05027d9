import { inFile, type Bug, type Plant } from './plant.ts'

const LINES: readonly Bug[] = [
  {
    name: 'no cap on a line of bytes',
    find: 'if (this.#length + stop - start > this.#maxBytes)',
    put: 'if (false)',
    isSample: true,
  },
  {
    name: 'no cap on a line of text',
    find: 'if (this.#length + stop - start > this.#maxLength)',
    put: 'if (false)',
  },
  { name: 'no check of UTF-8', find: 'if (!isUtf8(line))', put: 'if (false)' },
  {
    name: 'the start of a line is not copied',
    find: 'this.#partial.set(bytes, this.#length)',
    put: '',
  },
  {
    name: 'bytes are taken behind a refusal',
    find: 'boolean): Refusal | undefined {\n    if (this.#done) return undefined\n    const bytes',
    put: 'boolean): Refusal | undefined {\n    const bytes',
  },
  {
    name: 'pieces of a line of text get lost',
    find: "this.#blocks.join('') + this.#pieces.join('') + piece",
    put: "this.#pieces.join('') + piece",
  },
  { name: 'long blank lines are dropped', find: 'line.length <= MAX_BLANK && ', put: '' },
]

const JSONS: readonly Bug[] = [
  { name: 'no cap on depth', find: 'if (isTooDeep(text, maxDepth))', put: 'if (false)' },
  { name: 'the depth is off by one', find: 'depth > maxDepth', put: 'depth >= maxDepth' },
  { name: 'objects do not count as depth', find: ' || unit === OPEN_BRACE)', put: ')' },
  {
    name: 'an escaped quote ends a string for the depth',
    find: 'if (escapes % 2 === 0) return at',
    put: 'return at',
  },
  {
    name: 'bad JSON throws',
    find: "} catch {\n    return new Refusal('json', 'not JSON')",
    put: '} catch (error) {\n    throw error',
  },
]

const FRAMES: readonly Bug[] = [
  { name: 'any text is an id', find: ' || !ID.test(id)', put: '' },
  { name: 'ids of any length', find: ' || id.length > limits.maxIdLength', put: '' },
  {
    name: 'data of any kind',
    find: "frame.length !== 3 || typeof payload !== 'string') {\n        return new Refusal('mux', 'data",
    put: "frame.length !== 3) {\n        return new Refusal('mux', 'data",
  },
  { name: 'an end with a payload', find: 'if (frame.length !== 2)', put: 'if (false)' },
  {
    name: 'an error of any kind',
    find: " || typeof payload !== 'string' || payload.length > MAX_ERROR_LENGTH",
    put: '',
  },
  { name: 'errors of any length', find: ' || payload.length > MAX_ERROR_LENGTH', put: '' },
  { name: 'new of any form', find: ' || !isNewPayload(payload, limits)', put: '' },
  { name: 'names of any length', find: ' || meta.length > maxMetaLength', put: '' },
  {
    name: 'frames of any kind',
    find: "return new Refusal('mux', 'a frame is of an unknown kind')",
    put: 'return value as MuxFrame',
  },
  { name: 'frames that are no arrays', find: 'if (!Array.isArray(value))', put: 'if (false)' },
]

const MUX: readonly Bug[] = [
  {
    name: 'an id may be used twice',
    find: 'if (stream !== undefined || this.#closedIds.has(id))',
    put: 'if (false)',
  },
  {
    name: 'the id of a closed stream may be used again',
    find: 'stream !== undefined || this.#closedIds.has(id)',
    put: 'stream !== undefined',
  },
  {
    name: 'streams without number',
    find: 'if (this.#openedByPeer >= this.#limits.maxStreams)',
    put: 'if (false)',
  },
  {
    name: 'closed streams count as open',
    find: 'if (openedByPeer) this.#openedByPeer -= 1',
    put: '',
  },
  {
    name: 'frames for streams that never were',
    find: "this.#closedIds.has(id) ? undefined : new Refusal('mux', 'a frame for no stream')",
    put: 'undefined',
  },
  {
    name: 'frames that were under way end the connection',
    find: 'this.#closedIds.has(id) ? undefined : ',
    put: '',
  },
  {
    name: 'an error reaches the package',
    find: "} else if (event === 'error') {",
    put: '} else if (false) {',
  },
  {
    name: 'a stream that is not offered lives',
    find: 'if (!this.#options.onStream(stream))',
    put: 'if (!this.#options.onStream(stream) && false)',
  },
  {
    name: 'frames behind a refusal are acted on',
    find: 'return !this.#ended\n  }\n\n  #receiveLine',
    put: 'return true\n  }\n\n  #receiveLine',
  },
  {
    name: 'an ended stream stays open',
    find: "inner.on('end', () => inner.end())",
    put: '',
  },
]

const CONNECTION: readonly Bug[] = [
  {
    name: 'the sender of a refused frame is not cut',
    find: '} else this.#socket.destroy()\n',
    put: '}\n',
  },
  {
    name: 'an end is told twice',
    find: 'if (this.#ended) return\n    this.#ended = true\n    this.#throttled',
    put: 'this.#ended = true\n    this.#throttled',
  },
]

const EMITTER: readonly Bug[] = [
  {
    name: 'events of any name',
    find: ' || !accepts.has(event)) {',
    put: ') {',
  },
  { name: 'events that are no arrays', find: 'if (!Array.isArray(value))', put: 'if (false)' },
  {
    name: 'any number of values',
    find: 'if (value.length - 1 > limits.maxArguments)',
    put: 'if (false)',
  },
  {
    name: 'events behind a refusal are raised',
    find: 'return !refused && !stream.closed',
    put: 'return true',
  },
  {
    name: 'a long line of events goes unnoticed',
    find: 'if (refusal !== undefined) refuse(refusal)',
    put: '',
  },
]

export const WIRE_PLANTS: readonly Plant[] = [
  ...inFile('lines', 'wire/lines.ts', LINES),
  ...inFile('lines', 'wire/json.ts', JSONS),
  ...inFile('mux', 'wire/mux-frame.ts', FRAMES),
  ...inFile('mux', 'wire/mux.ts', MUX),
  ...inFile('mux', 'wire/connection.ts', CONNECTION),
  ...inFile('emitter', 'wire/emitter.ts', EMITTER),
]
