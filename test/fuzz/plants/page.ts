import { inFile, type Plant } from './plant.ts'

/** In what reads the packets of a page. */
export const PAGE_PLANTS: readonly Plant[] = inFile('page', 'web/packet.ts', [
  {
    name: 'packets of any length',
    find: 'if (Buffer.byteLength(data) > limits.maxLineBytes)',
    put: 'if (false)',
  },
  { name: 'numbers of any length', find: '{1,15}', put: '{1,400}' },
  {
    name: 'page events of any name',
    find: "if (typeof event !== 'string' || !EVENTS.has(event))",
    put: "if (typeof event !== 'string')",
  },
  {
    name: 'any number of values of a page',
    find: 'if (values.length > limits.maxArguments)',
    put: 'if (false)',
  },
  {
    name: 'one value too many',
    find: 'values.length > limits.maxArguments',
    put: 'values.length > limits.maxArguments + 1',
  },
  {
    name: 'joining with what is no JSON',
    find: "return said instanceof Refusal ? said : { kind: 'connect' }",
    put: "return { kind: 'connect' }",
  },
  {
    name: 'a leave with more in it',
    find: 'data === DISCONNECT)',
    put: 'data.startsWith(DISCONNECT))',
  },
])
