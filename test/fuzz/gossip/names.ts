import { testSource } from '../../support/replica-changes.ts'

/** Who is who in the sessions of gossip. */
export const VICTIM = testSource('alpha', 2)
export const VICTIMS_PAST = testSource('alpha', 1)
export const HONEST = testSource('beta')
export const HOSTILE = testSource('mallory')

/** Stands in inputs for the id that the victim draws for the stream `control`. */
export const CONTROL = 'c0c0c0c0c0c0'

/** The streams that the hostile node opens. */
export const STREAMS = { whitelist: 'a1', members: 'a2' } as const
