import test from 'ava'
import * as fc from 'fast-check'
import { parseName, parseSubject, type Source } from '../../../node/identity/names.ts'
import { buildWhitelist } from '../../../node/whitelist/build.ts'
import { encodeChange, type Change } from '../../../node/whitelist/change.ts'
import { entryHash, type Entry, type Stray } from '../../../node/whitelist/entry.ts'
import { differences, evaluateLog } from '../../../node/whitelist/evaluate.ts'
import { grantAt, NOON, revocationAt, testSource } from '../../support/replica-changes.ts'

const SOURCES = [testSource('alpha'), testSource('beta'), testSource('alpha', 2)]
const CLIENTS = ['c1', 'c2'].map(parseSubject)
const AUTHORS = ['operator/olga', 'operator/berta', 'node/alpha', 'node/beta'].map(parseSubject)
const OPERATORS = ['olga', 'berta'].map(parseName)

/** What an author may have seen: any part of what there is. */
type Part = readonly number[]

interface Draft {
  readonly source: number
  readonly kind: 'grant' | 'revocation' | 'withdrawal'
  /** Whether its node signs it at a place that it has given before. */
  readonly isFork: boolean
  readonly subject: number
  readonly operator: number
  readonly seen: Part
}

const draft: fc.Arbitrary<Draft> = fc.record({
  source: fc.nat(SOURCES.length - 1),
  kind: fc.constantFrom('grant', 'grant', 'grant', 'revocation', 'withdrawal'),
  isFork: fc.nat(5).map(number => number === 0),
  subject: fc.nat(3),
  operator: fc.nat(1),
  seen: fc.array(fc.nat(4), { minLength: 3, maxLength: 3 }),
})

/** Logs as nodes hold them: contiguous sources, authors that had seen little, forks proven. */
const logs = fc.array(draft, { maxLength: 16 }).map(drafts => {
  const log: (Entry | Stray)[] = []
  const chains = new Map<Source, Entry[]>()
  const forked = new Set<Source>()
  for (const { source: index, kind, isFork, subject, operator, seen } of drafts) {
    const source = SOURCES[index] ?? testSource('alpha')
    const chain = chains.get(source) ?? []
    if (forked.has(source)) continue
    const partOf = (own: number): Map<Source, number> =>
      new Map(
        SOURCES.map((other, at): [Source, number] => [
          other,
          other === source ? own : Math.max((chains.get(other)?.length ?? 0) - (seen[at] ?? 0), 0),
        ]).filter(([, sequence]) => sequence > 0),
      )
    const sequence = chain.length + 1
    const change = ((): Change => {
      const about = CLIENTS[subject % 2] ?? parseSubject('c1')
      const by = { operator: OPERATORS[operator] ?? parseName('olga') }
      if (kind === 'grant') {
        const past = partOf(Math.max(sequence - 1 - (seen[0] ?? 0), 0))
        return { ...grantAt(source, sequence, { subject: about, seen: past }), ...by }
      }
      if (kind === 'revocation') return { ...revocationAt(source, sequence, about), ...by }
      const author = AUTHORS[subject] ?? parseSubject('node/alpha')
      return { ...revocationAt(source, sequence, author), ...by, upTo: partOf(sequence) }
    })()
    if (isFork) {
      const against = chain[Math.max(chain.length - 1 - (seen[0] ?? 0), 0)]
      if (against === undefined) continue
      const { sequence } = against.change
      const moved = { ...change, sequence, at: NOON + 1 }
      // Nobody has seen their own future.
      const twin: Change =
        moved.kind === 'grant'
          ? { ...moved, seen: new Map([...moved.seen].filter(([other]) => other !== source)) }
          : moved
      const entry = entryOf(twin, against.previous)
      forked.add(source)
      log.push({ entry, against }, { entry: against, against: entry })
      for (const later of chain.slice(against.change.sequence)) log.push({ entry: later })
    } else {
      const entry = entryOf(change, chain.at(-1)?.hash ?? '')
      chains.set(source, [...chain, entry])
      log.push(entry)
    }
  }
  return log
})

function entryOf(change: Change, previous: string): Entry {
  const text = encodeChange(change)
  const signatures = {
    operatorCertificate: '',
    operatorSignature: '',
    nodeCertificate: '',
    nodeSignature: '',
  }
  return { change, text, previous, hash: entryHash(previous, text), signatures }
}

test('the list that a node builds is what the log says, voided changes and forks included', t => {
  let standing = 0
  fc.assert(
    fc.property(logs, log => {
      const list = buildWhitelist({ logged: () => log })
      const evaluated = evaluateLog(log)
      for (const { grants } of evaluated.values()) standing += grants.size
      return differences(list, evaluated).length === 0
    }),
    { numRuns: 2_000, ...(process.env['SEED'] && { seed: Number(process.env['SEED']) }) },
  )
  t.true(standing > 500)
})
