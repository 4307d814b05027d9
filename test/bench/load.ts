import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** How events come: so many at once, so often. */
export interface Load {
  readonly burst: number
  readonly intervalMs: number
}

/** What tells the sources of events, each in a process of its own, when to give them. */
export interface LoadControl extends AsyncDisposable {
  /** From now on, for those who listen and those who come; undefined for none. */
  set(load: Load | undefined): void
}

/** @param path where a UNIX socket may be made */
export async function openLoadControl(path: string): Promise<LoadControl> {
  let line = '{}\n'
  const sources = new Set<Socket>()
  const server = createServer(source => {
    sources.add(source)
    source.on('close', () => sources.delete(source))
    source.on('error', () => {})
    source.write(line)
  }).listen(path)
  await once(server, 'listening')
  return {
    set: load => {
      line = `${JSON.stringify({ load })}\n`
      for (const source of sources) source.write(line)
    },
    [Symbol.asyncDispose]: async () => {
      for (const source of sources) source.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** In the process of a source: give events as it is told, until the one who tells it is gone. */
export async function followLoad(path: string, give: (burst: number) => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  for await (const line of createInterface(connect(path))) {
    clearInterval(timer)
    const { load } = JSON.parse(line) as { load?: Load }
    if (load !== undefined) timer = setInterval(() => give(load.burst), load.intervalMs)
  }
  clearInterval(timer)
}
