import { readFile } from 'node:fs/promises'

export interface ProcessMemory {
  /** What it holds now, bytes. */
  readonly resident: number
  /** The most that it ever held, bytes. */
  readonly peak: number
  /** What it holds of its own, and not of files, bytes. */
  readonly anonymous: number
}

/** The memory of a process by proc(5); NaN where there is no such file. */
export async function memoryOf(pid: number | undefined): Promise<ProcessMemory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM'), anonymous: bytes('RssAnon') }
}
