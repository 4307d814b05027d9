import { watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import { parseCertificates } from './certificate-chain.ts'
import { lifetimeWarnings } from './certificate-lifetime.ts'
import type { Clock } from '../lib/clock.ts'
import type { Credentials } from './credentials.ts'
import { errorMessage, FridgeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'

/** What a look at the files has led to. */
export type Reload = 'renewed' | 'unchanged' | 'refused'

/** What a watch has to know of the credentials of one kind. */
export interface WatchedKind<C> {
  /** The files that they were read from. */
  readonly pathsOf: (credentials: C) => readonly string[]
  readonly isSame: (a: C, b: C) => boolean
  /** For the log, when they come into force. */
  readonly fieldsOf: (credentials: C) => object
  /** What is to be said of them when they come into force. */
  readonly warningsOf: (credentials: C) => readonly string[]
  /** What of them is near its end. */
  readonly endingOf: (credentials: C, now: number) => readonly { text: string; fix: string }[]
}

/** What one end of a connection of the cluster presents and trusts. */
export const CLUSTER_CREDENTIALS: WatchedKind<Credentials> = {
  pathsOf: ({ files: { keyFile, certificateFile, caFile, formerFile = caFile } }) => [
    keyFile,
    certificateFile,
    caFile,
    formerFile,
  ],
  isSame: (a, b) =>
    a.key === b.key && a.certificate === b.certificate && a.ca === b.ca && a.former === b.former,
  fieldsOf: ({ identity, ca, files }) => ({
    certificate: identity.fingerprint,
    until: new Date(identity.notAfter).toISOString(),
    authorities: parseCertificates(ca, files.caFile).length,
  }),
  warningsOf: ({ warnings }) => warnings,
  endingOf: lifetimeWarnings,
}

export interface CredentialWatchOptions<C> {
  readonly kind: WatchedKind<C>
  /** What is in force at the start. */
  readonly credentials: C
  /** Read and check the files whole. @throws when they do not fit together */
  readonly load: () => Promise<C>
  /** Put credentials into force. @throws having changed nothing */
  readonly apply: (credentials: C) => void
  readonly clock: Clock
  readonly log: Log
  /** How long files must be left alone before they are read, in milliseconds. Default 200. */
  readonly settleMs?: number
  /** How often they are read where no event tells of a change, in milliseconds. Default 30000. */
  readonly pollMs?: number
}

/**
 * How often files that do not fit together are read again, each time after twice the wait, before
 * that is called a mistake: a key and its certificate are never written in one step.
 */
const MAX_RETRIES = 5

const DAY_MS = 24 * 60 * 60 * 1_000

/**
 * Takes up new keys, certificates and bundles while the node runs, and tells in time what is
 * about to expire. What cannot be used is said, and what was in force stays.
 */
export class CredentialWatch<C = Credentials> implements AsyncDisposable {
  readonly #options: CredentialWatchOptions<C>
  readonly #settleMs: number
  readonly #pollMs: number
  #current: C
  #watchers: FSWatcher[] = []
  #settling: Disposable | undefined
  #poll: Disposable | undefined
  #daily: Disposable | undefined
  #looking: Promise<unknown> = Promise.resolve()
  #retries = 0
  /** Why the files are not usable now, once it has been said: the poll does not say it again. */
  #said: string | undefined
  #isStopped = false

  constructor(options: CredentialWatchOptions<C>) {
    this.#options = options
    this.#settleMs = options.settleMs ?? 200
    this.#pollMs = options.pollMs ?? 30_000
    this.#current = options.credentials
    this.#watch()
    this.#pollLater()
    this.#warnDaily()
  }

  /** Read the files now, because somebody asked for it, and say what came of it. */
  async reload(): Promise<Reload> {
    const result = await this.#look()
    if (result instanceof Error) {
      this.#say(result)
      return 'refused'
    }
    if (result === 'unchanged') {
      this.#options.log.info({}, 'the certificates are the same as before')
      this.#warn()
    }
    return result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    for (const timer of [this.#settling, this.#poll, this.#daily]) timer?.[Symbol.dispose]()
    this.#unwatch()
    await this.#looking
  }

  /** Watch the folders: a file that is replaced whole is another file under the same name. */
  #watch(): void {
    this.#unwatch()
    const folders = new Set(this.#options.kind.pathsOf(this.#current).map(path => dirname(path)))
    for (const folder of folders) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#settle())
        // The poll finds what is not heard of from here on.
        watcher.on('error', () => watcher.close())
        this.#watchers.push(watcher)
      } catch (error) {
        const fields = { folder, reason: errorMessage(error), pollMs: this.#pollMs }
        this.#options.log.warn(fields, 'a folder of certificates is not watched, only polled')
      }
    }
  }

  #unwatch(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close()
  }

  /** Something happened to the files: read them once nothing more happens. */
  #settle(): void {
    this.#retries = 0
    this.#lookIn(this.#settleMs)
  }

  #lookIn(ms: number): void {
    if (this.#isStopped) return
    this.#settling?.[Symbol.dispose]()
    this.#settling = this.#options.clock.after(ms, () => void this.#lookAgain())
  }

  async #lookAgain(): Promise<void> {
    const result = await this.#look()
    if (!(result instanceof Error)) return
    if (this.#retries === MAX_RETRIES) return this.#say(result)
    this.#retries += 1
    this.#lookIn(this.#settleMs * 2 ** this.#retries)
  }

  #pollLater(): void {
    if (this.#isStopped) return
    this.#poll = this.#options.clock.after(this.#pollMs, () => void this.#lookByItself())
  }

  async #lookByItself(): Promise<void> {
    const result = await this.#look()
    if (result instanceof Error && result.message !== this.#said) this.#settle()
    this.#pollLater()
  }

  /** Read the files, one look after the other. @returns why they are not usable, if they are not */
  async #look(): Promise<'renewed' | 'unchanged' | Error> {
    const look = this.#looking.then(async () => this.#lookNow())
    this.#looking = look
    return look
  }

  async #lookNow(): Promise<'renewed' | 'unchanged' | Error> {
    const { kind, load, apply, log } = this.#options
    try {
      const next = await load()
      if (this.#isStopped) return 'unchanged'
      this.#said = undefined
      if (kind.isSame(next, this.#current)) return 'unchanged'
      apply(next)
      this.#current = next
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
    log.info(kind.fieldsOf(this.#current), 'new certificates are in force')
    for (const warning of kind.warningsOf(this.#current)) log.warn({}, warning)
    this.#warn()
    // The folders may be others under the same names; what happened meanwhile is looked at again.
    this.#watch()
    this.#settle()
    return 'renewed'
  }

  #say(error: Error): void {
    if (this.#isStopped) return
    this.#said = error.message
    const fix = error instanceof FridgeError && error.fix !== undefined ? { fix: error.fix } : {}
    this.#options.log.error(
      { reason: error.message, ...fix },
      'the new certificates cannot be used: those before stay in force',
    )
  }

  #warnDaily(): void {
    this.#warn()
    this.#daily = this.#options.clock.after(DAY_MS, () => this.#warnDaily())
  }

  #warn(): void {
    const { kind, clock, log } = this.#options
    for (const { text, fix } of kind.endingOf(this.#current, clock.now())) log.warn({ fix }, text)
  }
}
