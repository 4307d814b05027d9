import type { KeyObject } from 'node:crypto'
import { nodeOf, type Name, type Source } from '../identity/names.ts'
import type { Signer, Signers } from '../identity/signers.ts'
import type { Clock } from '../lib/clock.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import { TokenBuckets } from '../lib/token-buckets.ts'
import type { DocumentStream } from './document-stream.ts'
import {
  parseQuestion,
  signQuestion,
  verifyQuestion,
  type Answer,
  type Held,
  type Question,
  type SignedQuestion,
} from './question.ts'

export interface QuestionsOptions {
  /** This run of this node. */
  readonly source: Source
  readonly signers: Signers
  /** This node's own certificate and key. */
  readonly self: { readonly signer: Signer; readonly key: KeyObject }
  readonly clock: Pick<Clock, 'monotonic'>
  readonly neighbours: () => Iterable<DocumentStream>
  /** What this node holds of the list now. */
  readonly held: (about: Source | undefined) => Omit<Held, 'clients'>
  /** A run asks, first over this neighbour: the answer goes back there. */
  readonly answer: (to: Source, answer: Answer, neighbour: DocumentStream) => void
}

/** Questions of one node that are passed on at once. */
const BURST = 8

/** And in the long run, a second. */
const PER_SECOND = 2

/** Nodes, and runs, whose questions are remembered. */
const MAX_ASKING = 4_096

/**
 * What one node asks all: a question goes over every link, once each way, and the answers come back
 * the way that it came first. So what is wanted now and then, how many changes and clients each node
 * has, or a confirmation that was lost, costs nothing while nobody asks.
 */
export class Questions {
  readonly #options: QuestionsOptions
  /** The newest question of each run. */
  readonly #newest = new Map<Source, number>()
  /** How often each node may ask: each question costs all others a signature. */
  readonly #paces: TokenBuckets<Name>
  readonly #checking = new Set<string>()
  #clients: () => number = () => 0
  #asked = 0

  constructor(options: QuestionsOptions) {
    this.#options = options
    const { clock } = options
    this.#paces = new TokenBuckets({ perSecond: PER_SECOND, burst: BURST, max: MAX_ASKING, clock })
  }

  /** What this node holds, as others are told it. */
  held(about?: Source): Held {
    return { ...this.#options.held(about), clients: this.#clients() }
  }

  /** Count clients by this from now on; there are none before. */
  countClients(clients: () => number): void {
    this.#clients = clients
  }

  /** Ask all nodes in reach. @returns the number of the question */
  ask(about?: Source): number {
    const { source: by, self, neighbours } = this.#options
    this.#asked += 1
    const number = this.#asked
    const ask = signQuestion({ by, number, ...(about !== undefined && { about }) }, self)
    for (const neighbour of neighbours()) neighbour.send({ ask })
    return number
  }

  /** Take a frame of a neighbour. @returns why it is refused, if it is */
  take(frame: object, from: DocumentStream): { readonly refused?: string } {
    const { ask, ...rest } = frame as Record<string, unknown>
    if (Object.keys(rest).length > 0) return { refused: 'a question comes with something else' }
    const question = parseQuestion(ask)
    if (typeof question === 'string') return { refused: question }
    const signed = ask as SignedQuestion
    const key = JSON.stringify(signed)
    if (!this.#isNews(question) || this.#checking.has(key)) return {}
    this.#checking.add(key)
    void this.#check(question, signed, from).then(() => this.#checking.delete(key))
    return {}
  }

  async #check(question: Question, signed: SignedQuestion, from: DocumentStream): Promise<void> {
    const { signers, neighbours, answer } = this.#options
    const holds = await verifyQuestion(question, signed, signers)
    if (holds === false) return from.refuse('a question is not signed by its node')
    if (holds === undefined || !this.#isNews(question)) return
    const { by, number, about } = question
    if (!this.#paces.take(nodeOf(by))) return
    keepNewest(this.#newest, by, number, MAX_ASKING)
    answer(by, { number, ...(about !== undefined && { about }), ...this.held(about) }, from)
    for (const neighbour of neighbours()) if (neighbour !== from) neighbour.send({ ask: signed })
  }

  #isNews({ by, number }: Question): boolean {
    const isOwn = nodeOf(by) === nodeOf(this.#options.source)
    return !isOwn && number > (this.#newest.get(by) ?? 0)
  }
}
