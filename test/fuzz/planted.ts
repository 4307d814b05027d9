import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plant } from './plants/plant.ts'

const HOOK = new URL('plant-hook.ts', import.meta.url).href
const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

/** What a layer's fuzzer says of a planted bug. */
export interface Hunt {
  readonly plant: Plant
  readonly isFound: boolean
  /** What it said. */
  readonly output: string
}

/** Fuzz a layer with a bug in it, in a process of its own, which the bug may end. */
export async function hunt(plant: Plant, seed = 1): Promise<Hunt> {
  const folder = await mkdtemp(join(tmpdir(), 'fridge-plant-'))
  try {
    const env = {
      ...process.env,
      PLANT: plant.name,
      LAYER: plant.layer,
      INPUTS: 'fixed',
      SEED: String(seed),
    }
    const child = spawn(process.execPath, ['--import', HOOK, MAIN], { cwd: folder, env })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    }
    const [status] = (await once(child, 'close')) as [number | null]
    return { plant, isFound: status === 1 && output.includes(`of SEED=${seed}: `), output }
  } finally {
    await rm(folder, { recursive: true })
  }
}
