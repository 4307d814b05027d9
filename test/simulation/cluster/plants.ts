import { inFile, type Bug, type Plant } from '../../fuzz/plants/plant.ts'

const OVERLAY: readonly Bug[] = [
  {
    name: 'two links to one node are kept',
    find: "} else return { reason: 'duplicate', text: 'the two nodes have another link' }",
    put: '}',
  },
  {
    name: 'links to nodes that were removed are kept',
    find: 'filter(({ peer }) => !this.#options.admits(peer))',
    put: 'filter(() => false)',
    isSample: true,
  },
  {
    name: 'a node links to its own name',
    find: 'if (nodeOf(source) === self) {',
    put: 'if (nodeOf(source) === source) {',
  },
  {
    name: 'members are not told of links that ended',
    find: "    this.#changed(end.reason === 'busy' || end.reason === 'duplicate')",
    put: '    this.#planSoon()',
  },
  {
    name: 'an address that has failed is never dialed again',
    find: 'known.notBefore = clock.monotonic() + waitMs',
    put: 'known.notBefore = clock.monotonic() + waitMs * 1e6',
  },
  {
    name: 'an address that fails is dialed again at once',
    find: 'known.notBefore = clock.monotonic() + waitMs',
    put: 'known.notBefore = clock.monotonic()',
  },
  {
    name: 'a proof that it was removed is not looked at',
    find: 'if (end.proof !== undefined) this.#options.onProof',
    put: 'if (end.proof === null) this.#options.onProof',
  },
]

const LINK: readonly Bug[] = [
  {
    name: 'a peer that never says a word is waited for',
    find: 'if (this.#source === undefined) this.#channel.cutAsDead()',
    put: '',
  },
]

const CONTROL: readonly Bug[] = [
  {
    name: 'a peer that has died unseen is linked for ever',
    find: 'if (this.#silentMs >= deadAfterMs) return this.#connection.cutAsDead()',
    put: '',
  },
]

const JOIN: readonly Bug[] = [
  {
    name: 'a node that was removed keeps its links',
    find: "ownRemoval.subscribe(() => overlay.cutAll('node removed', 'this node has been removed'))",
    put: 'ownRemoval.subscribe(() => {})',
  },
]

const MEMBERS: readonly Bug[] = [
  {
    name: 'what a node says of itself is passed on to nobody',
    find: '    this.publish(update)\n    if (member !== undefined) this.#tell(member, before)',
    put: '    if (run === this.id) this.publish(update)\n    if (member !== undefined) this.#tell(member, before)',
  },
]

const OWN_MEMBER: readonly Bug[] = [
  {
    name: 'a node says once what it is linked to',
    find: 'this.#waiting.delete(part)',
    put: '',
  },
]

const REACH: readonly Bug[] = [
  {
    name: 'who is out of reach is seen for ever',
    find: 'for (const one of lost) this.#reached.delete(one)',
    put: '',
  },
  {
    name: 'a link counts that one of its ends names',
    find: 'if (this.#linksOf(other).includes(run)) yield other',
    put: 'yield other',
  },
]

const RELAY: readonly Bug[] = [
  {
    name: 'confirmations of others are not passed on',
    find: 'this.#remember(confirmation)\n    this.#passOn(confirmation, signed, from)',
    put: 'this.#remember(confirmation)',
  },
  {
    name: 'a node confirms nothing',
    find: 'this.#untold.add(key)\n    this.#gather()',
    put: '',
  },
]

const ENFORCEMENT: readonly Bug[] = [
  {
    name: 'clients are not cut by what is applied',
    find: 'if (!isAuthor(subject)) cuts.set(subject, sessions.review(subject))',
    put: 'if (!isAuthor(subject)) cuts.set(subject, 0)',
  },
]

const OPENING: readonly Bug[] = [
  {
    name: 'who could not wait for an exchange lets nobody in after it',
    find: 'if (isStarted) show(hasExchanged)',
    put: '',
  },
]

/** Every bug of the overlay, of members and of confirmations that the schedules of `npm test` must find. */
export const CLUSTER_PLANTS: readonly Plant[] = [
  ...inFile('cluster', 'gossip/overlay.ts', OVERLAY),
  ...inFile('cluster', 'gossip/link.ts', LINK),
  ...inFile('cluster', 'wire/control.ts', CONTROL),
  ...inFile('cluster', 'gossip/join.ts', JOIN),
  ...inFile('cluster', 'gossip/opening.ts', OPENING),
  ...inFile('cluster', 'gossip/members.ts', MEMBERS),
  ...inFile('cluster', 'gossip/own-member.ts', OWN_MEMBER),
  ...inFile('cluster', 'gossip/reach.ts', REACH),
  ...inFile('cluster', 'gossip/confirmation-relay.ts', RELAY),
  ...inFile('cluster', 'sessions/enforcement.ts', ENFORCEMENT),
]
