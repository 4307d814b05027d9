import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Plant } from '../fuzz/plants/plant.ts'

const HOOK = new URL('../fuzz/plant-hook.ts', import.meta.url).href
const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

/** What the schedules say of a planted bug. */
export interface Hunt {
  /** The schedule that has found it. */
  readonly seed: number | undefined
  readonly output: string
}

/** How many nodes the clusters have in which bugs are planted. */
export const PLANTED_NODES = 4

/** Run schedules with a bug in the code, in a process of its own, until one fails. */
export async function hunt({ name, layer }: Plant, schedules: number, first = 1): Promise<Hunt> {
  const { SEED: _seed, ...others } = process.env
  const env = { ...others, PLANT: name }
  const cluster = ['--nodes', String(PLANTED_NODES), '--schedules', String(schedules)]
  const range = [String(schedules), String(first)]
  const args =
    layer === 'cluster'
      ? [...cluster, '--first', String(first), '--as-is']
      : [...range, ...(layer === 'newcomers' ? ['--newcomers'] : [])]
  const child = spawn(process.execPath, ['--import', HOOK, MAIN, ...args], { env })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const [status] = (await once(child, 'close')) as [number | null]
  const found = /SEED=(\d+): /.exec(output)
  return { seed: status === 1 && found !== null ? Number(found[1]) : undefined, output }
}
