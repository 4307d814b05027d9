import test from 'ava'
import { parseSubject, type KeyId } from '../../../node/identity/names.ts'
import type { RefusalReason, Rights } from '../../../node/sessions/admission.ts'
import type { BrowserParty, OriginParty, Party } from '../../../node/sessions/party.ts'
import type { Session } from '../../../node/sessions/session.ts'
import { Sessions } from '../../../node/sessions/sessions.ts'
import type { ChangeId } from '../../../node/whitelist/change.ts'
import type { SubjectState } from '../../../node/whitelist/merge.ts'
import type { Terms } from '../../../node/whitelist/terms.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { grantAt, testSource } from '../../support/replica-changes.ts'

/** A page counts under its origin, and under its client once somebody has signed in there. */

const KEY = 'a'.repeat(64) as KeyId
const ORIGIN: OriginParty = {
  role: 'origin',
  subject: parseSubject('origin/https://shop.example'),
  isOwn: false,
}
const BROWSER: BrowserParty = { role: 'client', subject: parseSubject('client/phone'), keyId: KEY }

function granted(terms: Terms): SubjectState {
  const change = grantAt(testSource('A'), 2, { terms })
  return { revocations: new Set(), grants: [{ id: 'grant' as ChangeId, change }] }
}

const REMOVED: SubjectState = { grants: [], revocations: new Set(['removal' as ChangeId]) }

function house(browser: Terms, origin: Terms) {
  const clock = new FakeClock(0)
  const states = new Map([
    [BROWSER.subject, granted({ keys: [KEY], ...browser })],
    [ORIGIN.subject, granted(origin)],
  ])
  const sessions = new Sessions(
    clock,
    subject => states.get(subject) ?? { grants: [], revocations: new Set() },
  )
  return { clock, states, sessions }
}

interface Page extends Session {
  rights: Rights | undefined
  readonly ends: { reason: RefusalReason; subject: string }[]
}

function page(identity: Party): Page {
  const opened: Page = {
    identity,
    ...(identity.role === 'client' && { origin: ORIGIN }),
    rights: undefined,
    ends: [],
    cut: (reason, { subject }) => void opened.ends.push({ reason, subject }),
    narrow: rights => void (opened.rights = rights),
    leave: () => {},
  }
  return opened
}

test('the removal of either cuts a page once, and says whose it was', t => {
  for (const removed of [BROWSER, ORIGIN]) {
    const { states, sessions } = house({}, {})
    const signedIn = page(BROWSER)
    sessions.add(signedIn, Infinity)
    t.is(sessions.size, 1)
    t.deepEqual([sessions.clients, sessions.pages], [1, 1])
    t.deepEqual(
      [BROWSER, ORIGIN].map(({ subject }) => sessions.countOf(subject)),
      [1, 1],
    )
    states.set(removed.subject, REMOVED)
    t.is(sessions.review(removed.subject), 1)
    t.deepEqual(signedIn.ends, [{ reason: 'revoked', subject: removed.subject }])
    t.is(sessions.size, 0)
    t.is(sessions.reviewAll(), 0)
  }
})

test('a page may what its origin and its client both may, and follows when either is narrowed', t => {
  const { states, sessions } = house(
    { sensors: ['door', 'temperature'], commands: ['defrost'] },
    { sensors: ['temperature', 'cellar'] },
  )
  const signedIn = page(BROWSER)
  sessions.add(signedIn, Infinity)
  const judgement = sessions.admitBrowser(BROWSER, ORIGIN)
  if ('refused' in judgement) return t.fail(judgement.reason)
  t.deepEqual([...(judgement.rights.sensors ?? [])], ['temperature'])
  t.deepEqual([...(judgement.rights.commands ?? [])], ['defrost'])
  states.set(ORIGIN.subject, granted({ sensors: ['cellar'], commands: [] }))
  t.is(sessions.review(ORIGIN.subject), 0)
  t.deepEqual([...(signedIn.rights?.sensors ?? [''])], [])
  t.deepEqual([...(signedIn.rights?.commands ?? [''])], [])
})

test('before anybody signs in a page reads what is public, and calls nothing', t => {
  const { states, sessions } = house({}, { sensors: ['door'], commands: ['defrost'] })
  const NOTHING = new Set<never>()
  const rightsOf = (): Rights => {
    const admission = sessions.admitPage(ORIGIN)
    if (!admission.admitted) throw new Error(admission.reason)
    return admission.rights
  }
  t.deepEqual(rightsOf(), { sensors: NOTHING, commands: NOTHING, views: NOTHING })
  const all = { sensors: ['door'], commands: ['defrost'], views: ['log'], public: true } as const
  states.set(ORIGIN.subject, granted(all))
  t.deepEqual(rightsOf(), { sensors: new Set(['door']), commands: NOTHING, views: NOTHING })
})

test('a page sees the views that every grant of its client and its origin names, and none where one names none', t => {
  const own: OriginParty = { ...ORIGIN, isOwn: true }
  const viewsOf = (browser: Terms, origin: Terms | undefined): string[] => {
    const { states, sessions } = house(browser, origin ?? {})
    if (origin === undefined) states.delete(ORIGIN.subject)
    const judgement = sessions.admitBrowser(BROWSER, origin === undefined ? own : ORIGIN)
    if ('refused' in judgement) throw new Error(judgement.reason)
    return [...(judgement.rights.views ?? ['all'])]
  }
  t.deepEqual(viewsOf({ views: ['fleet', 'log'] }, undefined), ['fleet', 'log'])
  t.deepEqual(viewsOf({}, undefined), [])
  t.deepEqual(viewsOf({ views: ['fleet', 'log'] }, {}), [])
  t.deepEqual(viewsOf({ views: ['fleet', 'log'] }, { views: ['log'] }), ['log'])
})

test('a page is cut when the grant of either ends, and one that is not granted is not let in', async t => {
  for (const [browser, origin, ended] of [
    [{ expiresAt: 5_000 }, {}, BROWSER],
    [{}, { expiresAt: 5_000 }, ORIGIN],
  ] as const) {
    const { clock, sessions } = house(browser, origin)
    const judgement = sessions.admitBrowser(BROWSER, ORIGIN)
    if ('refused' in judgement) return t.fail(judgement.reason)
    const signedIn = page(BROWSER)
    sessions.add(signedIn, judgement.until)
    await clock.advance(5_000)
    t.deepEqual(signedIn.ends, [{ reason: 'expired', subject: ended.subject }])
  }
  const { sessions, states } = house({}, {})
  states.delete(ORIGIN.subject)
  t.like(sessions.admitBrowser(BROWSER, ORIGIN), { reason: 'not on the whitelist' })
  t.like(sessions.admitPage({ ...ORIGIN, isOwn: true }), { admitted: true })
  sessions.setClosed('incomplete', true)
  t.like(sessions.admitPage({ ...ORIGIN, isOwn: true }), { reason: 'not ready' })
})
