import type { Source } from '../identity/names.ts'
import { keepNewest } from '../lib/keep-newest.ts'
import type { Signer } from '../identity/signers.ts'
import type { Update } from './document-frames.ts'
import type { PartValue, Words } from './member-part.ts'

/** Runs whose name is kept: twice as many as members, for those of whom only others have spoken yet. */
const MAX_NAMES = 32_768

/** What a part of a run was found to say, once its signature held. */
export interface Opened {
  readonly words: Words
  readonly signer: Signer
}

/** The same, and how it was sent. */
interface Said extends Opened {
  readonly update: Update
}

/**
 * One string for each run. All that are linked to a run name it, each in a message of its own: kept
 * as they came these would be a dozen strings for each member.
 */
export class SharedNames {
  readonly #names = new Map<Source, Source>()

  /** The string that stands for a run, of those that are the same. */
  of(run: Source): Source {
    const known = this.#names.get(run)
    if (known === undefined) keepNewest(this.#names, run, run, MAX_NAMES)
    return known ?? run
  }

  /** The same, with one string for what others say as well. */
  shareIn({ update, words, signer }: Said): Said {
    const [value, sequence, place] = update
    const { member, signature } = value as PartValue
    const shared: PartValue = { member, certificate: signer.identity.fingerprint, signature }
    const at = words.part === 'profile' ? this.of(place) : place
    return { update: [shared, sequence, at], words: this.#shareLinks(words), signer }
  }

  #shareLinks(words: Words): Words {
    if (words.part !== 'state') return words
    const links = words.state.links.map(link => this.of(link))
    return { part: 'state', state: { ...words.state, links } }
  }
}
