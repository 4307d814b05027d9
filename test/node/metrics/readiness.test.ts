import test from 'ava'
import { whyNotReady, type ReadinessState } from '../../../node/metrics/readiness.ts'

const SERVING: ReadinessState = {
  phase: 'serving',
  whenIsolated: 'serve',
  isIsolated: false,
  isRemoved: false,
  isForked: false,
  isStalled: false,
  failing: undefined,
  lackingWitnesses: undefined,
  certificateEndsAt: 2,
}

test('a node whose list waits for others to show its checkpoint says for how many, and what mends it', t => {
  const why = (lackingWitnesses: number, phase: ReadinessState['phase']): string | undefined =>
    whyNotReady({ ...SERVING, lackingWitnesses, phase }, 1)
  t.regex(why(1, 'incomplete') ?? '', /one more node must show that it stands: .*--peer HOST:PORT$/)
  t.regex(why(2, 'starting') ?? '', /2 more nodes must show/)
  t.is(why(1, 'stopping'), 'stopping')
})

test('a node that serves is ready, and one that waits for a first exchange is not', t => {
  t.is(whyNotReady(SERVING, 1), undefined)
  t.regex(whyNotReady({ ...SERVING, phase: 'incomplete' }, 1) ?? '', /no exchange with a peer/)
  t.regex(whyNotReady(SERVING, 3) ?? '', /has expired/)
})
