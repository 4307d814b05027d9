import type { Name } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Members } from './members.ts'
import {
  choosePeers,
  formatPeers,
  parsePeers,
  type Acquaintance,
  type RememberedPeer,
} from './remembered-peers.ts'

/** A file that is replaced as a whole. */
export interface PeerFile {
  readonly path: string
  read(maxBytes: number): string | undefined
  replace(text: string): void
}

export interface PeerMemoryOptions {
  readonly file: PeerFile
  readonly isRemoved: Acquaintance['isRemoved']
  readonly clock: Clock
  readonly log: Log
}

/** A file of this node has some kilobytes: thirty names of 64 characters, addresses of 300. */
const MAX_BYTES = 65_536

/** How long news of peers are gathered before the file is written, in milliseconds. */
const GATHER_MS = 250

/** The least time between two looks, in milliseconds: nodes that come and go wear out no disk. */
const BETWEEN_LOOKS_MS = 5_000

/**
 * The peers that this node knew when it ran last, and a file that keeps those of now: a node whose
 * seeds are cut off finds the others again by it. What it says is a hint of where to dial, never
 * who may gossip.
 */
export class PeerMemory implements Disposable {
  /** Those of the last run. */
  readonly peers: readonly RememberedPeer[]
  readonly #options: PeerMemoryOptions
  #written: string
  #chosen: readonly RememberedPeer[]
  #lookedAt = -Infinity
  #timer: Disposable | undefined
  #subscription: Disposable | undefined
  #members: Members | undefined
  #hasFailed = false

  /** What cannot be read is nothing to start from, and no reason not to start. */
  constructor(options: PeerMemoryOptions) {
    this.#options = options
    this.peers = readPeers(options)
    this.#chosen = this.peers
    this.#written = formatPeers(this.peers)
  }

  /** The nodes of the last run, but for those that were removed since. */
  names(): Name[] {
    const { isRemoved } = this.#options
    return this.peers.map(({ name }) => name).filter(name => !isRemoved(name))
  }

  /** Remember what these members say from now on. */
  follow(members: Members): void {
    this.#members = members
    this.#subscription = members.subscribe(() => this.#writeSoon())
  }

  /** Write what is not written yet. */
  [Symbol.dispose](): void {
    this.#subscription?.[Symbol.dispose]()
    if (this.#timer === undefined) return
    this.#timer[Symbol.dispose]()
    this.#write()
  }

  #writeSoon(): void {
    const { clock } = this.#options
    if (this.#timer !== undefined) return
    const waitMs = Math.max(this.#lookedAt + BETWEEN_LOOKS_MS - clock.monotonic(), GATHER_MS)
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined
      this.#write()
    })
  }

  #write(): void {
    const { file, isRemoved, clock, log } = this.#options
    const members = this.#members
    if (members === undefined) return
    this.#lookedAt = clock.monotonic()
    this.#chosen = choosePeers({
      self: members.self.name,
      members: members.list(),
      linked: new Set(members.self.links),
      live: new Set(members.live().keys()),
      before: this.#chosen,
      isRemoved,
    })
    const text = formatPeers(this.#chosen)
    if (text === this.#written) return
    try {
      file.replace(text)
      this.#written = text
      this.#hasFailed = false
    } catch (error) {
      // A full disk is said once; the node is told of its peers by others meanwhile.
      if (!this.#hasFailed) {
        log.warn({ file: file.path, reason: errorMessage(error) }, 'cannot remember the peers')
      }
      this.#hasFailed = true
    }
  }
}

function readPeers({ file, log }: PeerMemoryOptions): RememberedPeer[] {
  const ignore = (reason: string): RememberedPeer[] => {
    log.warn({ file: file.path, reason }, 'cannot read the peers of the last run: written anew')
    return []
  }
  try {
    const text = file.read(MAX_BYTES)
    if (text === undefined) return []
    const peers = parsePeers(text)
    return typeof peers === 'string' ? ignore(peers) : peers
  } catch (error) {
    return ignore(errorMessage(error))
  }
}
