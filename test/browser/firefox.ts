import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import { systemClock } from '../../node/lib/clock.ts'

/** How long Firefox may take to start, and to answer, in milliseconds. */
const START_MS = 60_000
const ANSWER_MS = 60_000

/** How often a page is looked at, and for how long, in milliseconds. */
const LOOK_MS = 50
const PATIENCE_MS = 30_000

/** What ends with this process, and with the test. */
export interface Firefox extends AsyncDisposable {
  /** Open a page in a tab of its own, whatever authority its certificate is of. */
  open(url: string): Promise<FirefoxPage>
}

export interface FirefoxPage {
  /** Wait until what is shown at a place, as a selector says it, fits. @returns the text */
  untilShown(selector: string, text: RegExp): Promise<string>
}

/** An answer of WebDriver BiDi to a command, or an event. */
interface Message {
  readonly id?: number
  readonly type: 'success' | 'error' | 'event'
  readonly result?: Readonly<Record<string, unknown>>
  readonly message?: string
}

/** Debian's Firefox, without a window, driven by WebDriver BiDi. @param path of the program */
export async function startFirefox(path: string): Promise<Firefox> {
  const profile = await mkdtemp(join(tmpdir(), 'fridge-firefox-'))
  const args = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0']
  const env = { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1' }
  const child = spawn(path, [...args, 'about:blank'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const session = await Session.open(`${await addressOf(child)}/session`)
    await session.send('session.new', { capabilities: { alwaysMatch: INSECURE } })
    return { open: async url => openTab(session, url), [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The certificates of tests are of authorities that no browser knows. */
const INSECURE = { acceptInsecureCerts: true }

async function addressOf({ stderr }: ChildProcess): Promise<string> {
  if (stderr === null) throw new Error('Firefox has no output')
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const said: string[] = []
  createInterface({ input: stderr })
    .on('line', line => {
      said.push(line)
      const address = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1]
      if (address !== undefined) resolve(address)
    })
    .on('close', () => reject(new Error(`Firefox does not start:\n${said.join('\n')}`)))
  using _late = systemClock.after(START_MS, () =>
    reject(new Error(`Firefox does not say where it listens:\n${said.join('\n')}`)),
  )
  return await promise
}

async function openTab(session: Session, url: string): Promise<FirefoxPage> {
  const { context } = await session.send('browsingContext.create', { type: 'tab' })
  await session.send('browsingContext.navigate', { context, url, wait: 'complete' })
  const textOf = async (selector: string): Promise<string> => {
    const expression = `document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`
    const asked = { expression, target: { context }, awaitPromise: false }
    const { result } = await session.send('script.evaluate', asked)
    return String((result as { readonly value?: unknown } | undefined)?.value)
  }
  return {
    untilShown: async (selector, text) => {
      let said = ''
      for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
        said = await textOf(selector)
        if (text.test(said)) return said
        await systemClock.sleep(LOOK_MS)
      }
      throw new Error(`Firefox does not show ${text}, but: ${said}`)
    },
  }
}

/** One session of WebDriver BiDi: commands, and the answers to them. */
class Session {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<Readonly<Record<string, unknown>>>>()
  #sent = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', data => this.#hear(JSON.parse((data as Buffer).toString()) as Message))
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Firefox is gone'))
    })
  }

  static async open(address: string): Promise<Session> {
    const socket = new WebSocket(address)
    await once(socket, 'open')
    return new Session(socket)
  }

  async send(method: string, params: object): Promise<Readonly<Record<string, unknown>>> {
    const id = (this.#sent += 1)
    const answer = Promise.withResolvers<Readonly<Record<string, unknown>>>()
    this.#waiting.set(id, answer)
    using _late = systemClock.after(ANSWER_MS, () =>
      answer.reject(new Error(`Firefox does not answer to ${method}`)),
    )
    this.#socket.send(JSON.stringify({ id, method, params }))
    return await answer.promise
  }

  #hear({ id, type, result, message }: Message): void {
    const answer = id === undefined ? undefined : this.#waiting.get(id)
    if (id === undefined || answer === undefined) return
    this.#waiting.delete(id)
    if (type === 'success') answer.resolve(result ?? {})
    else answer.reject(new Error(`Firefox: ${message}`))
  }
}
