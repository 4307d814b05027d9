/**
 * Do what is done in steps, all of them, or none when one of them throws.
 * @param steps yields behind each of them what takes it back
 * @returns what takes all of them back
 * @throws what a step throws, when those before it are taken back
 */
export function allOrNone(steps: Iterable<() => void>): () => void {
  const taken: (() => void)[] = []
  const takeBack = (): void => {
    for (const one of taken.toReversed()) one()
  }
  try {
    for (const one of steps) taken.push(one)
  } catch (error) {
    takeBack()
    throw error
  }
  return takeBack
}
