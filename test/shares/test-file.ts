import type { ExecutionContext } from 'ava'

export type Implementation = (t: ExecutionContext, ...args: unknown[]) => unknown

/** As AVA takes a test or a hook. */
type Declare = (title: string, implementation: (t: ExecutionContext) => Promise<void>) => void

/** What is used of AVA's own `test`. */
export interface Ava {
  readonly serial: Declare & {
    readonly only: Declare
    readonly skip: Declare
    readonly failing: Declare
  }
  readonly after: { readonly always: Declare }
}

interface Test {
  readonly title: string
  readonly declare: Declare
  readonly run: Implementation
}

/**
 * A test file of a share. It notes what the file declares, and hands it all to AVA once every file
 * of the share is loaded, because AVA starts as soon as it has a test. Each test becomes a serial
 * one: it meets no load of another, and the time that AVA prints is its own. Hooks stay hooks of
 * their file, so that nothing of one file still runs in the tests of the next.
 */
export class TestFile {
  readonly #name: string
  readonly #ava: Ava
  readonly #tests: Test[] = []
  readonly #before: (() => unknown)[] = []
  readonly #after: (() => unknown)[] = []
  #begun: Promise<void> | undefined
  #ended: Promise<void> | undefined
  #over = 0

  /** @param path below the folder of tests, as `node/gossip/link.test.ts` */
  constructor(path: string, ava: Ava) {
    this.#name = path.replace(/\.test\.ts$/, '').replaceAll('/', ' › ')
    this.#ava = ava
  }

  /** What `test` is in the file. @param words what stands behind it, as in `test.serial.skip` */
  test(words: readonly string[] = []): object {
    return new Proxy((...args: readonly unknown[]) => this.#note(words, args), {
      get: (_, word) => this.test([...words, String(word)]),
    })
  }

  /** Tell AVA. @throws when the file has no test */
  declare(): void {
    if (this.#tests.length === 0) throw new Error(`no tests in ${this.#name}`)
    for (const { title, declare, run } of this.#tests) {
      declare(`${this.#name} › ${title}`, async t => {
        t.teardown(async () => {
          this.#over += 1
          if (this.#over === this.#tests.length) await this.#end()
        })
        await (this.#begun ??= runAll(this.#before))
        await runHeld(async () => run(t))
      })
    }
    // Where not every test was run, as with --match.
    if (this.#after.length > 0) this.#ava.after.always(this.#name, async () => this.#end())
  }

  #note(words: readonly string[], args: readonly unknown[]): void {
    const kind = words.filter(word => word !== 'serial').join('.')
    const title = args.find(arg => typeof arg === 'string') ?? ''
    const [implementation, ...rest] = args[0] === title ? args.slice(1) : args
    if (typeof implementation !== 'function') throw new TypeError(`${title}: not a function`)
    const run: Implementation = t => (implementation as Implementation)(t, ...rest)
    const { serial } = this.#ava
    if (kind === 'before') this.#before.push(run as () => unknown)
    else if (kind === 'after.always') this.#after.push(run as () => unknown)
    else if (kind === '') this.#tests.push({ title, declare: serial, run })
    else if (kind === 'only' || kind === 'skip' || kind === 'failing')
      this.#tests.push({ title, declare: serial[kind], run })
    else throw new TypeError(`a file that shares its process cannot say test.${kind}`)
  }

  async #end(): Promise<void> {
    // What was never set up is not to be taken down.
    if (this.#before.length > 0 && this.#begun === undefined) return
    await (this.#ended ??= runAll(this.#after))
  }
}

async function runAll(hooks: readonly (() => unknown)[]): Promise<void> {
  for (const hook of hooks) await hook()
}

/** The longest wait of a timer, in milliseconds. */
const LONG_MS = 2 ** 31 - 1

/** A process in which nothing is left but what keeps no process alive would end before its test. */
async function runHeld(run: () => unknown): Promise<void> {
  const hold = setInterval(() => {}, LONG_MS)
  try {
    await run()
  } finally {
    clearInterval(hold)
  }
}
