import { generateKeyPairSync } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { startCheckWorker, type CheckWorker } from '../../../node/identity/check-thread.ts'
import { signText } from '../../../node/identity/signature.ts'
import {
  ThreadedVerifier,
  type ThreadedVerifierOptions,
} from '../../../node/identity/threaded-verifier.ts'
import { localVerifier, type Verifier } from '../../../node/identity/verifier.ts'
import { ClusterLog } from '../../support/cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { hangReads } from '../../support/hung-reads.ts'
import { PlayedWorker } from '../../support/played-worker.ts'

/** More than the main thread checks itself, and a batch of it. */
const CROWD = 200

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const text = 'a text'
const signature = signText(privateKey, 'change', text)

interface Played extends AsyncDisposable {
  readonly verifier: ThreadedVerifier
  readonly clock: FakeClock
  readonly workers: PlayedWorker[]
  readonly stalls: boolean[]
  readonly log: ClusterLog
}

function play(options: Partial<ThreadedVerifierOptions> = {}): Played {
  const clock = new FakeClock()
  const workers: PlayedWorker[] = []
  const stalls: boolean[] = []
  const log = new ClusterLog()
  const verifier = new ThreadedVerifier({
    clock,
    maxThreads: 2,
    log: log.of('node-1'),
    startWorker: () => {
      const worker = new PlayedWorker()
      workers.push(worker)
      return worker
    },
    ...options,
  })
  verifier.subscribe(isStalled => stalls.push(isStalled))
  const end = async (): Promise<void> => verifier[Symbol.asyncDispose]()
  return { verifier, clock, workers, stalls, log, [Symbol.asyncDispose]: end }
}

/** Ask for so many checks at once: every tenth signature is another text's. */
async function ask(verifier: Verifier, count: number, key = publicKey): Promise<boolean[]> {
  const checks = Array.from({ length: count }, async (_, index) =>
    verifier.verify(key, 'change', index % 10 === 9 ? 'another text' : text, signature),
  )
  return Promise.all(checks)
}

function expected(count: number): boolean[] {
  return Array.from({ length: count }, (_, index) => index % 10 !== 9)
}

/** Let the threads answer until all is answered. */
async function answerAll<T>({ workers, clock }: Played, asked: Promise<T>): Promise<T> {
  // A thread that is started meanwhile answers as well.
  for (let isAnswering = true; isAnswering;) {
    await clock.advance(0)
    isAnswering = workers.map(worker => worker.answer()).includes(true)
  }
  return asked
}

/** A verifier with real threads, on a clock that stands still: no token comes back. */
function withThreads(): ThreadedVerifier {
  return new ThreadedVerifier({ clock: new FakeClock(), maxThreads: 2 })
}

async function tellsApart(t: ExecutionContext, verifier: Verifier): Promise<void> {
  const other = generateKeyPairSync('ed25519')
  const others = signText(other.privateKey, 'change', text)
  const verify = async (...signed: Parameters<Verifier['verify']>): Promise<boolean> =>
    verifier.verify(...signed)
  t.true(await verify(publicKey, 'change', text, signature))
  t.true(await verify(other.publicKey, 'change', text, others))
  t.false(await verify(publicKey, 'entry', text, signature))
  t.false(await verify(publicKey, 'change', `${text}.`, signature))
  t.false(await verify(other.publicKey, 'change', text, signature))
  t.false(await verify(publicKey, 'change', text, 'no signature'))
  t.false(await verify(publicKey, 'change', text, ''))
}

test('a signature holds for its key, its text and what it was made for, wherever it is checked', async t => {
  await tellsApart(t, localVerifier)
  await using verifier = withThreads()
  await tellsApart(t, verifier)
  t.deepEqual(await ask(verifier, CROWD), expected(CROWD))
  // The main thread has spent what it may.
  await tellsApart(t, verifier)
})

test('the few that come alone are checked without a thread', async t => {
  await using played = play()
  t.deepEqual(await ask(played.verifier, 2), expected(2))
  t.is(played.workers.length, 0)
})

test('nobody makes the main thread check signatures all the time', async t => {
  await using played = play()
  const { verifier, workers, clock } = played
  for (let index = 0; index < 16; index += 1) await ask(verifier, 1)
  t.is(workers.length, 0)
  const one = ask(verifier, 1)
  await clock.advance(0)
  t.is(workers.length, 1)
  await answerAll(played, one)
  await clock.advance(1_000)
  const later = ask(verifier, 2)
  await clock.advance(0)
  t.deepEqual(workers[0]?.sent, [])
  t.deepEqual(await later, expected(2))
})

test('a crowd goes to the threads in batches, and its key once to each', async t => {
  await using played = play()
  const asked = ask(played.verifier, CROWD)
  await played.clock.advance(0)
  const { workers } = played
  t.deepEqual(
    workers.map(({ sent }) => sent.map(({ length }) => length)),
    [
      [64, 64],
      [64, 8],
    ],
  )
  for (const { sent } of workers) {
    t.is(sent.flat().filter(([, , , , key]) => key !== undefined).length, 1)
  }
  t.deepEqual(await answerAll(played, asked), expected(CROWD))
})

test('a second thread is started only when the first one has enough to do', async t => {
  await using played = play()
  const asked = ask(played.verifier, 100)
  await played.clock.advance(0)
  t.is(played.workers.length, 1)
  await answerAll(played, asked)
})

test('long texts travel in messages of bounded size', async t => {
  await using played = play()
  const { verifier, workers, clock } = played
  const long = 'x'.repeat(400_000)
  const asked = Array.from({ length: 20 }, async () =>
    verifier.verify(publicKey, 'change', long, signature),
  )
  await clock.advance(0)
  t.deepEqual(
    workers.map(({ sent }) => sent.map(({ length }) => length)),
    [
      [2, 2],
      [2, 2],
    ],
  )
  t.deepEqual(await answerAll(played, Promise.all(asked)), Array<boolean>(20).fill(false))
})

test('more keys than a thread holds are told apart', async t => {
  await using played = play({ maxThreads: 1 })
  const pairs = Array.from({ length: 1_030 }, () => generateKeyPairSync('ed25519'))
  // The first ones again, when they have given way.
  const asked = [...pairs, ...pairs.slice(0, 20)].map(async ({ publicKey, privateKey }) =>
    played.verifier.verify(publicKey, 'change', text, signText(privateKey, 'change', text)),
  )
  const answers = await answerAll(played, Promise.all(asked))
  t.true(answers.every(holds => holds))
})

test('a thread that does not answer is a stall, said once, until it answers', async t => {
  await using played = play()
  const { verifier, clock, workers, stalls, log } = played
  const asked = ask(verifier, CROWD)
  await clock.advance(4_000)
  t.false(verifier.isStalled)
  await clock.advance(60_000)
  t.true(verifier.isStalled)
  t.deepEqual(stalls, [true])
  // One that still answers does not hide the other.
  while (workers[1]?.answer() === true) await clock.advance(1_000)
  t.true(verifier.isStalled)
  t.deepEqual(await answerAll(played, asked), expected(CROWD))
  t.false(verifier.isStalled)
  t.deepEqual(stalls, [true, false])
  t.deepEqual(
    log.lines.map(({ level, text }) => [level, text]),
    [
      ['error', 'signatures are not being checked: no further client is let in'],
      ['warn', 'signatures are being checked again'],
    ],
  )
})

test('threads that answer all the time are no stall, however long it takes', async t => {
  await using played = play({ maxThreads: 1 })
  const asked = ask(played.verifier, 2_000)
  for (let second = 0; second < 15; second += 1) {
    await played.clock.advance(2_000)
    played.workers[0]?.answer()
  }
  await answerAll(played, asked)
  t.deepEqual(played.stalls, [])
})

test('nothing is watched while nothing is checked', async t => {
  await using played = play()
  await answerAll(played, ask(played.verifier, CROWD))
  await played.clock.advance(2_000)
  t.is(played.clock.pending, 0)
})

test('what a thread leaves behind that ends is checked all the same, and another one takes its place', async t => {
  await using played = play({ maxThreads: 1 })
  const { verifier, workers, clock, stalls, log } = played
  const asked = ask(verifier, CROWD)
  await clock.advance(10_000)
  t.deepEqual(stalls, [true])
  workers[0]?.emit('error', new Error('out of memory'))
  workers[0]?.emit('exit', 1)
  t.is(log.lines.filter(({ text }) => text.includes('has ended')).length, 1)
  t.is(workers.length, 2)
  t.deepEqual(await answerAll(played, asked), expected(CROWD))
  t.deepEqual(stalls, [true, false])
})

test('without any thread to be had the main thread checks, a batch a turn', async t => {
  let tries = 0
  const startWorker = (): CheckWorker => {
    tries += 1
    throw new Error('EAGAIN')
  }
  await using played = play({ startWorker })
  t.deepEqual(await ask(played.verifier, CROWD), expected(CROWD))
  t.is(tries, Math.ceil(CROWD / 64))
  t.is(played.log.lines.length, tries)
})

test('what is not checked when it ends is answered with no', async t => {
  const played = play()
  const { verifier, workers, clock } = played
  const waiting = ask(verifier, 1_000)
  await clock.advance(0)
  await verifier[Symbol.asyncDispose]()
  await verifier[Symbol.asyncDispose]()
  t.deepEqual(await waiting, Array<boolean>(1_000).fill(false))
  t.deepEqual(await ask(verifier, 2), [false, false])
  t.true(workers.every(({ isTerminated }) => isTerminated))
  t.is(clock.pending, 0)
})

test('a real thread that is ended from outside is replaced by another', async t => {
  const workers: CheckWorker[] = []
  await using verifier = new ThreadedVerifier({
    clock: new FakeClock(),
    maxThreads: 1,
    startWorker: () => {
      const worker = startCheckWorker()
      workers.push(worker)
      return worker
    },
  })
  await ask(verifier, CROWD)
  const asked = ask(verifier, CROWD)
  await workers[0]?.terminate()
  t.deepEqual(await asked, expected(CROWD))
  t.deepEqual(await ask(verifier, CROWD), expected(CROWD))
  t.is(workers.length, 2)
})

test.serial('reads of files that hang do not keep signatures from being checked', async t => {
  await hangReads(t)
  await using verifier = withThreads()
  t.deepEqual(await ask(verifier, 1), expected(1))
  t.deepEqual(await ask(verifier, CROWD), expected(CROWD))
})
