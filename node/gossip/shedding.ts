import type { Source } from '../identity/names.ts'
import type { Clock, Random } from '../lib/clock.ts'
import type { LinkMap } from './first-tree.ts'
import type { Link } from './link.ts'
import type { Member } from './member.ts'
import type { Members } from './members.ts'
import {
  chooseToShed,
  isJoinedBeside,
  linksAccepted,
  linksKept,
  SPARED_LINKS,
  surplusAfterMs,
} from './overlay-plan.ts'

export interface SheddingOptions {
  readonly members: Pick<Members, 'id'> & {
    readonly linkMap: LinkMap
    get(source: Source): Pick<Member, 'links'> | undefined
  }
  readonly clock: Pick<Clock, 'monotonic'>
  readonly random: Random
}

/** A link as far as it counts here. */
type SheddableLink = Pick<Link, 'source' | 'synced'>

/**
 * Which links a node lets go of. Where there are too many, a few at a time: a seed is the first that
 * every node links to. Where both ends merely have more than they want, one in a while: each link
 * costs its beats for ever, and in a cluster that grew node by node each has nearly twice what it wants.
 */
export class Shedding {
  readonly #options: SheddingOptions
  /** When a link beside those that are wanted may be let go of, on the monotonic clock. */
  #surplusAt: number | undefined

  constructor(options: SheddingOptions) {
    this.#options = options
  }

  /**
   * Which of the links to end now. To be asked often.
   * @param nodes how many are known, this one included
   */
  choose<L extends SheddableLink>(links: readonly L[], nodes: number): L[] {
    const { clock, random } = this.#options
    const excess = links.length - linksAccepted(nodes)
    // A newcomer that knows few other nodes is never turned away.
    if (excess > 0) return chooseToShed(this.#whoseEndHas(SPARED_LINKS, links), excess, random)
    const now = clock.monotonic()
    this.#surplusAt ??= now + surplusAfterMs(nodes, random)
    if (now < this.#surplusAt) return []
    this.#surplusAt = undefined
    return chooseToShed(this.#surplus(links, nodes), 1, random)
  }

  /** Links that neither end would miss, and without which their ends are as well joined. */
  #surplus<L extends SheddableLink>(links: readonly L[], nodes: number): L[] {
    const kept = linksKept(nodes)
    if (links.length <= kept) return []
    const { id, linkMap } = this.#options.members
    return this.#whoseEndHas(kept, links).filter(
      ({ source }) => source !== undefined && isJoinedBeside(linkMap, id, source),
    )
  }

  /** The links in step whose other end says that it has more than `count`. */
  #whoseEndHas<L extends SheddableLink>(count: number, links: readonly L[]): L[] {
    const { members } = this.#options
    const linksOf = (source: Source | undefined): number =>
      source === undefined ? 0 : (members.get(source)?.links.length ?? 0)
    return links.filter(({ source, synced }) => synced && linksOf(source) > count)
  }
}
