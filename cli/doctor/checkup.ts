import { errorMessage, FridgeError } from '../../node/lib/errors.ts'

/** What one check has found. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string
  readonly ok: boolean
  readonly text: string
  /** The command that mends it. */
  readonly fix?: string
}

/** All that was looked at, in order. A check that throws is a finding as well. */
export class Checkup {
  readonly findings: Finding[] = []
  readonly #onFinding: (finding: Finding) => void

  constructor(onFinding: (finding: Finding) => void) {
    this.#onFinding = onFinding
  }

  get isSound(): boolean {
    return this.findings.every(({ ok }) => ok)
  }

  good(check: string, text: string): void {
    this.#add({ check, ok: true, text })
  }

  bad(check: string, text: string, fix?: string): void {
    this.#add({ check, ok: false, text, ...(fix !== undefined && { fix }) })
  }

  /** @returns what the check gives on to others; undefined where it failed */
  async attempt<T>(check: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run()
    } catch (error) {
      this.bad(check, errorMessage(error), error instanceof FridgeError ? error.fix : undefined)
      return undefined
    }
  }

  #add(finding: Finding): void {
    this.findings.push(finding)
    this.#onFinding(finding)
  }
}
