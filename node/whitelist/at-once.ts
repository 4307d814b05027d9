/** Do all that stops to let others have their turn, without letting them. @returns what comes of it */
export function atOnce<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
