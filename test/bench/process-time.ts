import { readFile } from 'node:fs/promises'

/** Ticks a second in which the kernel counts, the same on all that Linux runs on today. */
const TICKS_PER_SECOND = 100

/** Processor time of a process since its start, user and system, ms, by proc(5): in steps of 10 ms. */
export async function processorMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // Its name, in brackets, may hold spaces; the state behind it is field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND
}
