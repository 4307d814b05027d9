import { setImmediate as nextTurn } from 'node:timers/promises'

/**
 * Do what stops to let others have their turn, one step a turn of the loop.
 * @returns what comes of it; rejects when it is aborted, behind what `steps` does last
 */
export async function inTurns<T>(steps: Generator<unknown, T>, signal?: AbortSignal): Promise<T> {
  try {
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      await nextTurn(undefined, { ...(signal && { signal }) })
    }
  } finally {
    steps.return(undefined as T)
  }
}
