/** What the process keeps, in bytes; exact where it may collect what it does not (`--expose-gc`). */
export function keptMemory(): { readonly heap: number; readonly resident: number } {
  for (let times = 0; times < 3; times += 1) globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, resident: rss }
}
