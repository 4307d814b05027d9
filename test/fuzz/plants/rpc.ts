import { inFile, type Bug, type Plant } from './plant.ts'

const MESSAGES: readonly Bug[] = [
  {
    name: 'messages that are no objects',
    find: "typeof value !== 'object' || value === null || Array.isArray(value)",
    put: 'false',
  },
  { name: 'unknown fields', find: 'if (Object.keys(rest).length > 0)', put: 'if (false)' },
  { name: 'arguments of any form', find: 'if (!Array.isArray(values))', put: 'if (false)' },
  {
    name: 'any number of arguments',
    find: 'if (values.length > state.limits.maxArguments)',
    put: 'if (false)',
  },
  {
    name: 'links of any form',
    find: 'if (links !== undefined && (!Array.isArray(links) || links.length > 0))',
    put: 'if (false)',
  },
  {
    name: 'callbacks of any form',
    find: "if (callbacks !== undefined && (typeof callbacks !== 'object' || callbacks === null))",
    put: 'if (false)',
  },
  {
    name: 'calls to functions never handed out',
    find: ' && method < state.handedOut',
    put: '',
  },
  {
    name: 'methods announced again and again',
    find: 'if (state.announced)',
    put: 'if (false)',
  },
  {
    name: 'announced methods of any form',
    find: "return isAnnouncement ? undefined : 'the",
    put: "return true ? undefined : 'the",
  },
  { name: 'a cull of anything', find: 'return isCull ? undefined', put: 'return true ? undefined' },
  {
    name: 'methods of any name',
    find: 'return state.methods?.has(method) === true ? undefined',
    put: 'return true ? undefined',
  },
  { name: 'callbacks of any id', find: 'if (!INDEX.test(id))', put: 'if (false)' },
  {
    name: 'callbacks far out',
    find: 'if (Number(id) > greatestCallback + limits.maxCallbacks)',
    put: 'if (false)',
  },
  {
    name: 'any number of callbacks in the announcement',
    find: 'if (functions.length > limits.maxCallbacks)',
    put: 'if (false)',
  },
  {
    name: 'paths to prototypes',
    find: "if (key === '__proto__' || key === 'length') return false",
    put: '',
  },
  { name: 'paths to anything', find: 'return node === FUNCTION', put: 'return true' },
  { name: 'calls without a callback', find: 'if (functions.length === 0)', put: 'if (false)' },
  {
    name: 'calls with many callbacks',
    find: 'if (functions.length > MAX_CALLBACKS_OF_CALL)',
    put: 'if (false)',
  },
  {
    name: 'callbacks anywhere in a call',
    find: 'if (!places.has(place) || values[place] !== FUNCTION)',
    put: 'if (false)',
  },
  {
    name: 'callbacks where no function stands',
    find: ' || values[place] !== FUNCTION',
    put: '',
  },
]

const DNODE: readonly Bug[] = [
  {
    name: 'ids of callbacks do not go up',
    find: 'this.#greatestCallback = greatestCallbackOf(message, this.#greatestCallback)',
    put: '',
  },
  {
    name: 'a long line of calls goes unnoticed',
    find: 'if (refusal !== undefined) this.refuse(refusal)',
    put: '',
  },
]

const RPC: readonly Bug[] = [
  { name: 'calls without number at once', find: 'pending > maxPendingCalls', put: 'false' },
  {
    name: 'calls outlive their caller',
    find: 'stream.onClose(() => gone.abort())',
    put: '',
  },
  {
    name: 'a method that rejects is not caught',
    find: 'return [rpcErrorOf(error)]',
    put: 'throw error',
  },
]

const CLIENT: readonly Bug[] = [
  {
    name: 'answers with functions in them',
    find: "return functions.length === 0 ? undefined : 'an answer",
    put: "return true ? undefined : 'an answer",
  },
  {
    name: 'a server calls what it likes',
    find: 'return state.methods?.has(method) === true ? undefined',
    put: 'return true ? undefined',
  },
]

const CALLS: readonly Bug[] = [
  {
    name: 'calls outlive their connection',
    find: 'for (const reject of waiting) reject(closedError())',
    put: '',
  },
]

export const RPC_PLANTS: readonly Plant[] = [
  ...inFile('rpc', 'wire/rpc-message.ts', MESSAGES),
  ...inFile('rpc', 'wire/dnode.ts', DNODE),
  ...inFile('rpc', 'wire/rpc.ts', RPC),
  ...inFile('rpc-client', 'wire/rpc-message.ts', CLIENT),
  ...inFile('rpc-client', 'wire/rpc.ts', CALLS),
]
