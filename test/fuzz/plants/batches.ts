import { inFile, type Plant } from './plant.ts'

/** In what an operator signs of a batch, and what a node takes for one. */
export const BATCH_PLANTS: readonly Plant[] = [
  ...inFile('batches', 'client/operator/batch.ts', [
    {
      name: 'texts that do not stand behind each other are signed',
      find: 'change.previous === entryHash(encodeChange(before), certificates)',
      put: 'change.previous !== before.previous',
    },
    {
      name: 'texts with a hole between them are signed',
      find: 'change.sequence === before.sequence + 1 &&',
      put: '',
    },
    {
      name: 'texts of two runs are signed',
      find: 'change.source === before.source &&',
      put: '',
    },
    {
      name: 'a batch is signed again in another run',
      find: "if (first.source !== last.source) return 'the node numbers its changes anew since'",
      put: '',
    },
    {
      name: 'another number of texts is signed again',
      find: "if (proposed.length !== this.#last.length) return 'there are more or fewer than before'",
      put: '',
    },
    {
      name: 'a batch is signed again at a later place without proof',
      find: 'const isLater = this.#isTaken && first',
      put: 'const isLater = first',
    },
    {
      name: 'a batch is signed again behind another entry',
      find: ' && first.previous === last.previous',
      put: '',
    },
    {
      name: 'one proof is good for many batches',
      find: 'this.#last = changes\n    this.#isTaken = false',
      put: 'this.#last = changes',
    },
  ]),
  ...inFile('batches', 'operators/batches.ts', [
    {
      name: 'batches of any size',
      find: ' && values.length <= BATCH_LIMITS.maxChanges\n',
      put: '\n',
    },
    {
      name: 'grants and removals in one batch',
      find: 'new Set(requests.map(({ kind }) => kind)).size === 1 &&',
      put: '',
    },
    {
      name: 'one name twice in a batch',
      find: 'new Set(requests.map(({ subject }) => subject)).size === requests.length &&',
      put: '',
    },
    {
      name: 'operators in a batch',
      find: '!requests.some(({ subject }) => isAuthor(subject))',
      put: 'true',
    },
  ]),
]
