import type { Name } from '../identity/names.ts'
import type { Clock } from '../lib/clock.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { GatheredFile, type ReplacedFile } from './gathered-file.ts'
import type { Members } from './members.ts'
import {
  choosePeers,
  formatPeers,
  parsePeers,
  type Acquaintance,
  type RememberedPeer,
} from './remembered-peers.ts'

export interface PeerMemoryOptions {
  readonly file: ReplacedFile
  readonly isRemoved: Acquaintance['isRemoved']
  readonly clock: Clock
  readonly log: Log
}

/** A file of this node has some kilobytes: thirty names of 64 characters, addresses of 300. */
const MAX_BYTES = 65_536

/**
 * The peers that this node knew when it ran last, and a file that keeps those of now: a node whose
 * seeds are cut off finds the others again by it. What it says is a hint of where to dial, never
 * who may gossip.
 */
export class PeerMemory implements Disposable {
  /** Those of the last run. */
  readonly peers: readonly RememberedPeer[]
  readonly #options: PeerMemoryOptions
  readonly #following = new DisposableStack()
  #chosen: readonly RememberedPeer[]

  /** What cannot be read is nothing to start from, and no reason not to start. */
  constructor(options: PeerMemoryOptions) {
    this.#options = options
    this.peers = readPeers(options)
    this.#chosen = this.peers
  }

  /** The nodes of the last run, but for those that were removed since. */
  names(): Name[] {
    const { isRemoved } = this.#options
    return this.peers.map(({ name }) => name).filter(name => !isRemoved(name))
  }

  /** Remember what these members say from now on. */
  follow(members: Members): void {
    const { file, clock, log } = this.#options
    const kept = this.#following.use(
      new GatheredFile({
        file,
        text: () => formatPeers(this.#choose(members)),
        written: formatPeers(this.peers),
        failure: 'cannot remember the peers',
        clock,
        log,
      }),
    )
    this.#following.use(members.subscribe(() => kept.writeSoon()))
  }

  /** Write what is not written yet. */
  [Symbol.dispose](): void {
    this.#following.dispose()
  }

  #choose(members: Members): readonly RememberedPeer[] {
    this.#chosen = choosePeers({
      self: members.self.name,
      members: members.list(),
      linked: new Set(members.self.links),
      live: new Set(members.live().keys()),
      before: this.#chosen,
      isRemoved: this.#options.isRemoved,
    })
    return this.#chosen
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
