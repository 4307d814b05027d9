import { rm, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { renewFrom } from '../../../node/identity/certificate-lifetime.ts'
import { systemClock, type Clock } from '../../../node/lib/clock.ts'
import {
  CLUSTER_CREDENTIALS,
  CredentialWatch,
  type CredentialWatchOptions,
} from '../../../node/identity/credential-watch.ts'
import { loadCredentials, type Credentials } from '../../../node/identity/credentials.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { parseName } from '../../../node/identity/names.ts'
import { makeTestCerts, type TestCerts } from '../../support/certs.ts'
import { ClusterLog } from '../../support/cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const DAY_MS = 86_400_000
const SETTLE_MS = 200
const POLL_MS = 30_000
/** Every repeated reading of files that do not fit together is over by then. */
const PATIENCE_MS = SETTLE_MS * 2 ** 6

/** A node's credentials, and as many later ones, all of which fit. */
async function makeCredentials(
  t: ExecutionContext,
  clock: Clock,
  count: number,
  days = 365,
): Promise<{ certs: TestCerts; all: Credentials[] }> {
  const now = clock.now()
  const certs = await makeTestCerts(t, { now })
  const all: Credentials[] = []
  for (let index = 0; index < count; index += 1) {
    await certs.issue('node', 'alpha', { days, now })
    all.push(await load(certs, clock))
  }
  return { certs, all }
}

async function load({ dir }: TestCerts, clock: Clock): Promise<Credentials> {
  return loadCredentials({ dir, role: 'node', name: parseName('alpha') }, { now: clock.now() })
}

interface Watched {
  readonly watch: CredentialWatch
  readonly applied: Credentials[]
  readonly log: ClusterLog
  /** What the next looks at the files find; after the last, the same again. */
  readonly finds: (...looks: readonly (Credentials | Error)[]) => void
  /** How often the files have been read. */
  readonly looks: () => number
}

/** A watch over files that are whatever a test says. */
function startWatch(
  t: ExecutionContext,
  clock: Clock,
  credentials: Credentials,
  options: Partial<CredentialWatchOptions<Credentials>> = {},
): Watched {
  const log = new ClusterLog()
  const applied: Credentials[] = []
  let found: readonly (Credentials | Error)[] = [credentials]
  let looks = 0
  const watch = new CredentialWatch({
    kind: CLUSTER_CREDENTIALS,
    credentials,
    load: async () => {
      const next = found[0] ?? credentials
      found = found.length > 1 ? found.slice(1) : found
      looks += 1
      if (next instanceof Error) throw next
      return next
    },
    apply: next => void applied.push(next),
    clock,
    log: log.of('alpha'),
    settleMs: SETTLE_MS,
    pollMs: POLL_MS,
    ...options,
  })
  t.teardown(async () => watch[Symbol.asyncDispose]())
  const finds: Watched['finds'] = (...next) => {
    found = next
  }
  return { watch, applied, log, finds, looks: () => looks }
}

function errorsIn({ lines }: ClusterLog): unknown[] {
  return lines.filter(({ level }) => level === 'error').map(({ fields }) => fields['reason'])
}

/** A watch keeps no process alive: this test does, until it ends. */
function stayAlive(t: ExecutionContext): void {
  const timer = setInterval(() => {}, DAY_MS)
  t.teardown(() => clearInterval(timer))
}

test('a certificate that is replaced on disk is in force by itself', async t => {
  stayAlive(t)
  const { certs, all } = await makeCredentials(t, systemClock, 1)
  const [first] = all
  if (first === undefined) return t.fail()
  const { promise, resolve } = Promise.withResolvers<Credentials>()
  startWatch(t, systemClock, first, {
    load: async () => load(certs, systemClock),
    apply: resolve,
    settleMs: 20,
    pollMs: DAY_MS,
  })
  await certs.issue('node', 'alpha')
  const second = await load(certs, systemClock)
  t.not(second.identity.fingerprint, first.identity.fingerprint)
  t.is((await promise).identity.fingerprint, second.identity.fingerprint)
})

test('authorities that are kept for old changes are in force by themselves', async t => {
  stayAlive(t)
  const { certs, all } = await makeCredentials(t, systemClock, 1)
  const [first] = all
  if (first === undefined) return t.fail()
  const other = await makeTestCerts(t)
  const { promise, resolve } = Promise.withResolvers<Credentials>()
  startWatch(t, systemClock, first, {
    load: async () => load(certs, systemClock),
    apply: resolve,
    settleMs: 20,
    pollMs: DAY_MS,
  })
  t.is(first.former, '')
  await writeFile(first.files.formerFile ?? '', other.ca)
  t.is((await promise).former, other.ca)
})

test('where no folder can be watched, the files are looked at again and again', async t => {
  const clock = new FakeClock()
  const { certs, all } = await makeCredentials(t, clock, 2)
  const [first, second] = all
  if (first === undefined || second === undefined) return t.fail()
  await rm(certs.dir, { recursive: true })
  const { applied, log, finds } = startWatch(t, clock, first)
  t.is(log.lines.filter(({ text }) => text.includes('only polled')).length, 2)
  finds(second)
  await clock.advance(POLL_MS - 1)
  t.deepEqual(applied, [])
  await clock.advance(1)
  t.deepEqual(applied, [second])
  finds(first)
  await clock.advance(2 * POLL_MS)
  t.deepEqual(applied, [second, first])
})

test('a key and a certificate that do not fit yet are read again before anything is said', async t => {
  const clock = new FakeClock()
  const [first, second] = (await makeCredentials(t, clock, 2)).all
  if (first === undefined || second === undefined) return t.fail()
  const { applied, log, finds } = startWatch(t, clock, first)
  const half = new FridgeError('ERR_CERTIFICATE', 'the key is not the key of this certificate')
  finds(half, half, half, second)
  await clock.advance(POLL_MS + PATIENCE_MS)
  t.deepEqual(applied, [second])
  t.deepEqual(errorsIn(log), [])
})

test('files that cannot be used are said once with the reason, and change nothing', async t => {
  const clock = new FakeClock()
  const [first, second] = (await makeCredentials(t, clock, 2)).all
  if (first === undefined || second === undefined) return t.fail()
  const { applied, log, finds, looks } = startWatch(t, clock, first)
  finds(new FridgeError('ERR_CERTIFICATE', 'it has expired', { fix: 'renew it' }))
  await clock.advance(POLL_MS)
  t.deepEqual(errorsIn(log), [])
  await clock.advance(PATIENCE_MS)
  t.deepEqual(errorsIn(log), ['it has expired'])
  t.like(await log.find(({ level }) => level === 'error'), {
    text: 'the new certificates cannot be used: those before stay in force',
    fields: { fix: 'renew it' },
  })
  // However often it is looked at, it is said again only when it is another thing.
  const before = looks()
  await clock.advance(100 * POLL_MS)
  t.true(looks() >= before + 100)
  t.deepEqual(errorsIn(log), ['it has expired'])
  finds(new FridgeError('ERR_KEY_FILE', 'the key is damaged'))
  await clock.advance(POLL_MS + PATIENCE_MS)
  t.deepEqual(errorsIn(log), ['it has expired', 'the key is damaged'])
  t.deepEqual(applied, [])
  finds(second)
  await clock.advance(POLL_MS)
  t.deepEqual(applied, [second])
})

test('what cannot be put into force is tried again, and the one before still counts', async t => {
  const clock = new FakeClock()
  const [first, second] = (await makeCredentials(t, clock, 2)).all
  if (first === undefined || second === undefined) return t.fail()
  const applied: Credentials[] = []
  let works = false
  const { log, finds } = startWatch(t, clock, first, {
    apply: next => {
      if (!works) throw new Error('ee key too small')
      applied.push(next)
    },
  })
  finds(second)
  await clock.advance(POLL_MS + PATIENCE_MS)
  t.deepEqual(errorsIn(log), ['ee key too small'])
  works = true
  await clock.advance(POLL_MS)
  t.deepEqual(applied, [second])
})

test('who asks for a reload is told at once what came of it', async t => {
  const clock = new FakeClock()
  const [first, second] = (await makeCredentials(t, clock, 2)).all
  if (first === undefined || second === undefined) return t.fail()
  const { watch, applied, log, finds } = startWatch(t, clock, first)
  t.is(await watch.reload(), 'unchanged')
  t.is(log.lines.at(-1)?.text, 'the certificates are the same as before')
  finds(new Error('unreadable'))
  t.is(await watch.reload(), 'refused')
  t.is(await watch.reload(), 'refused')
  t.deepEqual(errorsIn(log), ['unreadable', 'unreadable'])
  finds(second)
  t.is(await watch.reload(), 'renewed')
  t.deepEqual(applied, [second])
  t.like(log.lines.at(-1), {
    text: 'new certificates are in force',
    fields: { certificate: second.identity.fingerprint, authorities: 1 },
  })
})

test('looks at the files never overlap, and the last one counts', async t => {
  const clock = new FakeClock()
  const [first, second, third] = (await makeCredentials(t, clock, 3)).all
  if (first === undefined || second === undefined || third === undefined) return t.fail()
  const { watch, applied, finds } = startWatch(t, clock, first)
  finds(second, third)
  t.deepEqual(await Promise.all([watch.reload(), watch.reload(), watch.reload()]), [
    'renewed',
    'renewed',
    'unchanged',
  ])
  t.deepEqual(applied, [second, third])
})

test('from two thirds of its lifetime on a certificate is warned of, once a day', async t => {
  const clock = new FakeClock()
  const [first, second] = (await makeCredentials(t, clock, 2, 90)).all
  if (first === undefined || second === undefined) return t.fail()
  const { watch, log, finds } = startWatch(t, clock, first, { pollMs: 365 * DAY_MS })
  const warnings = (): string[] =>
    log.lines.filter(({ level }) => level === 'warn').map(({ text }) => text)
  const dueAt = renewFrom(first.identity)
  t.is(
    dueAt,
    first.identity.notBefore + (first.identity.notAfter - first.identity.notBefore) * (2 / 3),
  )
  await clock.advance(dueAt - clock.now() - 1)
  t.deepEqual(warnings(), [])
  await clock.advance(DAY_MS)
  const until = new Date(first.identity.notAfter).toISOString()
  t.deepEqual(warnings(), [`the certificate of node/alpha expires on ${until}`])
  t.deepEqual(log.lines.find(({ level }) => level === 'warn')?.fields, {
    fix: 'fridge certs renew node alpha',
  })
  await clock.advance(3 * DAY_MS)
  t.is(warnings().length, 4)
  t.is(await watch.reload(), 'unchanged')
  t.is(warnings().length, 5)
  await clock.advance(60 * DAY_MS)
  t.regex(warnings().at(-1) ?? '', /^the certificate of node\/alpha has expired on /)
  finds({ ...second, identity: { ...second.identity, notAfter: clock.now() + 90 * DAY_MS } })
  t.is(await watch.reload(), 'renewed')
  const told = warnings().length
  await clock.advance(DAY_MS)
  t.is(warnings().length, told)
})

test('an authority is warned of as well, with the command that replaces it', async t => {
  const clock = new FakeClock()
  const now = clock.now()
  const certs = await makeTestCerts(t, { now: now - 70 * DAY_MS, days: 100 })
  await certs.issue('node', 'alpha', { days: 365, now })
  const { log } = startWatch(t, clock, await load(certs, clock))
  t.deepEqual(
    log.lines.map(({ text, fields }) => [text, fields['fix']]),
    [
      [
        `the authority "CN=test.fridge CA" expires on ${new Date(now + 30 * DAY_MS).toISOString()}`,
        'fridge certs rotate-ca begin',
      ],
    ],
  )
})

test('a watch that has stopped leaves no timer, and puts nothing into force any more', async t => {
  const clock = new FakeClock()
  const [first, second] = (await makeCredentials(t, clock, 2)).all
  if (first === undefined || second === undefined) return t.fail()
  const { watch, applied, finds } = startWatch(t, clock, first)
  finds(second)
  const late = watch.reload()
  await watch[Symbol.asyncDispose]()
  t.is(await late, 'unchanged')
  t.deepEqual(applied, [])
  t.is(clock.pending, 0)
})
