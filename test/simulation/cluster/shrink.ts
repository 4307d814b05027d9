/** How often a failing schedule is run again at most, to leave out what it does not need. */
const MAX_RUNS = 200

/**
 * Leave out of the steps of a failing schedule, first many at a time and then one by one, all that
 * it fails without (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input",
 * 2002).
 * @param steps the numbers of the steps
 * @param fails whether a schedule of these alone fails
 * @returns those that are needed: leaving out any one of them, it does not fail
 */
export async function shrink(
  steps: readonly number[],
  fails: (kept: ReadonlySet<number>) => Promise<boolean>,
): Promise<readonly number[]> {
  let needed = steps
  let runs = 0
  for (let size = Math.ceil(needed.length / 2); size >= 1 && runs < MAX_RUNS;) {
    let isSmaller = false
    for (let from = 0; from < needed.length && runs < MAX_RUNS;) {
      const fewer = needed.toSpliced(from, size)
      runs += 1
      if (await fails(new Set(fewer))) {
        needed = fewer
        isSmaller = true
      } else from += size
    }
    if (!isSmaller) size = size === 1 ? 0 : Math.ceil(size / 2)
  }
  return needed
}
