import { Members, type MembersOptions } from '../../node/gossip/members.ts'
import type { Say } from '../../node/gossip/own-member.ts'
import { linksWanted } from '../../node/gossip/overlay-plan.ts'
import { seededRandom } from '../../node/sensors/drivers/seeded-random.ts'
import type { Random } from '../../node/lib/clock.ts'
import { GossipWorld } from '../simulation/gossip-world.ts'
import { testSource } from '../support/replica-changes.ts'
import type { People } from '../support/replica-people.ts'

/** How long a byte is under way between two nodes, at least and at most, ms. */
const DELAY_MS = { least: 5, most: 15 }

/** When nodes recall each other: before the first of their dials is answered, ms. */
const RECALL_MS = 15

/** When all that was dialed at the start is linked, ms. */
const LINKED_MS = 500

/** How long each way is to the nodes that a node is linked to, ms. */
type Ways = Map<string, number>

export interface RecalledClusterOptions {
  readonly people: People
  readonly names: readonly string[]
  /** Which nodes are linked, and how far they are apart. */
  readonly seed: number
}

/**
 * A cluster that need not form: its nodes begin with all that they remember of each other, and dial
 * the links that all of them have named already. What a cluster costs that forms from one seed grows
 * with the square of its size: of each node every other hears five times which links it has by then.
 */
export async function startRecalled({
  people,
  names,
  seed,
}: RecalledClusterOptions): Promise<GossipWorld> {
  const random = seededRandom(seed)
  const delayMs = (): number =>
    DELAY_MS.least + Math.round(random() * (DELAY_MS.most - DELAY_MS.least))
  const { ways, dials } = planLinks(names, random, delayMs)
  const linksOf = (name: string) =>
    [...(ways.get(name) ?? [])]
      .toSorted(([, a], [, b]) => a - b)
      .map(([other]) => testSource(other))
  const world = new GossipWorld({
    people,
    seed,
    delayMs: (one, other) => ways.get(one)?.get(other) ?? delayMs(),
    makeMembers: options => new RecalledMembers(options, linksOf(options.self.name)),
  })
  for (const name of names) world.start(name, dials.get(name))
  await world.time.pass(RECALL_MS)
  const words = world.nodes.flatMap(({ members }) => [...members.updatesOf(members.id).values()])
  for (const { members, signers } of world.nodes) {
    for (const name of names) signers.learn(people.node(name).signer.chain)
    await members.recall(words)
  }
  await world.time.pass(LINKED_MS)
  return world
}

/** *Members* of a node that has said which links it has, and does not say so again while they come. */
class RecalledMembers extends Members {
  constructor(options: MembersOptions, links: Members['self']['links']) {
    super({ ...options, self: { ...options.self, links } })
  }

  override say(words: Say): void {
    if (this.clock.monotonic() > LINKED_MS) super.say(words)
  }
}

/**
 * Rings through all nodes in an order drawn for each: so each is linked to as many others at random
 * as the overlay wants, and dials half of them.
 */
function planLinks(names: readonly string[], random: Random, delayMs: () => number) {
  const ways = new Map<string, Ways>(names.map(name => [name, new Map()]))
  const dials = new Map<string, string[]>(names.map(name => [name, []]))
  for (let ring = 0; ring < linksWanted(names.length) / 2; ring += 1) {
    const order = names.map(name => ({ name, at: random() })).toSorted((a, b) => a.at - b.at)
    for (const [index, { name }] of order.entries()) {
      const { name: next } = order[(index + 1) % order.length] ?? { name }
      const way = ways.get(name)
      if (next === name || way === undefined || way.has(next)) continue
      const ms = delayMs()
      way.set(next, ms)
      ways.get(next)?.set(name, ms)
      dials.get(name)?.push(next)
    }
  }
  return { ways, dials }
}
