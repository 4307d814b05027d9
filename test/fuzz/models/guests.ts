/** An invitation as the model knows it: who made it, and which browsers wait for a word. */
interface ModelledInvitation {
  readonly operator: string
  readonly waiting: Set<number>
  guests: number
}

const FIELDS = ['id', 'key', 'proof']
const FORMS: readonly (readonly [string, RegExp])[] = [
  ['id', /^[A-Za-z0-9_-]{22}$/],
  ['key', /^[0-9a-f]{64}$/],
  ['proof', /^[A-Za-z0-9_-]{43}$/],
]

/** Browsers that may come with one invitation, and looks that a page may take without a pause. */
const MAX_GUESTS = 16
const MAX_LOOKS = 40

/** What is to become of each line of a script (PROTOCOL.md, "Pages"). */
export class GuestsModel {
  readonly #open: Map<string, ModelledInvitation>
  readonly #views: readonly string[]
  #looks = 0

  constructor(operators: ReadonlyMap<string, string>, views: readonly string[]) {
    this.#open = new Map(
      Array.from(operators, ([id, operator]) => [
        id,
        { operator, waiting: new Set<number>(), guests: 0 },
      ]),
    )
    this.#views = views
  }

  invited(value: unknown): string {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'malformed'
    const fields = new Map<string, unknown>(Object.entries(value))
    if (Array.from(fields.keys()).toSorted().join() !== FIELDS.join()) return 'malformed'
    for (const [name, form] of FORMS) {
      const said = fields.get(name)
      if (typeof said !== 'string' || !form.test(said)) return 'malformed'
    }
    const invitation = this.#open.get(String(fields.get('id')))
    if (invitation === undefined || invitation.guests === MAX_GUESTS) return 'over'
    invitation.guests += 1
    invitation.waiting.add(invitation.guests)
    return 'waits'
  }

  answer(id: string, operator: string, number: number, isLetIn: boolean): boolean {
    const invitation = this.#open.get(id)
    if (invitation?.operator !== operator) return false
    if (!invitation.waiting.delete(number)) return false
    if (isLetIn) this.#open.delete(id)
    return true
  }

  look(view: string): string {
    if (!['fleet', 'whitelist', 'log'].includes(view)) return 'ERR_PROTOCOL'
    if (!this.#views.includes(view)) return 'ERR_REFUSED'
    this.#looks += 1
    return this.#looks > MAX_LOOKS ? 'ERR_LIMIT' : 'shown'
  }
}
