import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { errorCode } from '../../node/lib/errors.ts'

const SOURCE = join(import.meta.dirname, 'switchboard.c')

/** How packets go one way between two ends. */
export interface Line {
  /** How long a packet is under way, in milliseconds. Default 0. */
  readonly delayMs?: number
  /** The share of packets that are lost, 1 for a line that is cut. Default 0. */
  readonly loss?: number
  /** The longest packet that arrives, in bytes with all headers. Default every one. */
  readonly maxBytes?: number
}

const EVERY_LENGTH = 2_048

/** The program that joins network namespaces by lines: `switchboard.c`. */
export class Switchboard implements AsyncDisposable {
  readonly #program: ChildProcess
  readonly #answers: AsyncIterator<string>
  /** What nsenter(1) enters each namespace by. */
  readonly #namespaces: readonly string[]
  #last: Promise<unknown> = Promise.resolve()

  private constructor(
    program: ChildProcess,
    answers: AsyncIterator<string>,
    namespaces: readonly string[],
  ) {
    this.#program = program
    this.#answers = answers
    this.#namespaces = namespaces
  }

  /**
   * Make namespaces, with a line between any two of them that is whole.
   * @param ends how many, beside the one that this process is in
   * @param seed which packets a line loses
   * @param folder where the program is compiled to
   */
  static async start(ends: number, seed: number, folder: string): Promise<Switchboard> {
    const others = Object.keys(networkInterfaces()).filter(name => name !== 'lo')
    if (others.length > 0) {
      throw new Error(
        `this would change the network that has ${others.join(', ')}; fix: npm run test:lines`,
      )
    }
    const file = join(folder, 'switchboard')
    await compile(file)
    const program = spawn(file, [String(ends), String(seed)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const answers = createInterface(program.stdout)[Symbol.asyncIterator]()
    const namespaces: string[] = []
    for (;;) {
      const { value: line, done } = await answers.next()
      if (done === true) throw new Error('the switchboard ended before it was ready')
      if (line === 'ready') return new Switchboard(program, answers, namespaces)
      namespaces.push(line.slice(line.lastIndexOf(' ') + 1))
    }
  }

  /** What a program is started through, so that it is at an end, from 1. */
  through(end: number): readonly string[] {
    const namespace = this.#namespaces[end - 1]
    if (namespace === undefined) throw new RangeError(`there is no end ${end}`)
    return ['nsenter', `--net=${namespace}`, '--']
  }

  /** Say how packets go one way from now on. @returns how many have been lost that way so far */
  async set(
    from: number,
    to: number,
    { delayMs = 0, loss = 0, maxBytes = EVERY_LENGTH }: Line,
  ): Promise<number> {
    // Answers come in the order of the commands.
    const answer = this.#last.then(async () => {
      this.#program.stdin?.write(
        `${from} ${to} ${delayMs} ${Math.round(loss * 1_000)} ${maxBytes}\n`,
      )
      const { value, done } = await this.#answers.next()
      if (done === true) throw new Error('the switchboard has ended')
      return Number(value.slice('lost '.length))
    })
    this.#last = answer.catch(() => {})
    return await answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#program, 'close')
    this.#program.stdin?.end()
    await ended
  }
}

async function compile(file: string): Promise<void> {
  try {
    await promisify(execFile)('cc', ['-O2', '-Wall', '-o', file, SOURCE])
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause
    throw new Error('this test needs a C compiler: apt-get install build-essential', { cause })
  }
}
