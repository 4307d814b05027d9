import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import test, { type ExecutionContext } from 'ava'

import { programProblem, startProgram } from '../../../../node/sensors/drivers/program-process.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const sh = (script: string, ...args: string[]): string[] => ['sh', '-c', script, 'sh', ...args]

/** Resolves when every process that has opened the FIFO `path` for writing is gone. */
async function witness(t: ExecutionContext): Promise<{ path: string; gone: Promise<string> }> {
  const folder = await mkdtemp(join(tmpdir(), 'fridge-program-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'fifo')
  await promisify(execFile)('mkfifo', [path])
  return { path, gone: text(createReadStream(path)) }
}

test('arguments reach the program as they are: there is no shell', async t => {
  const argument = '$(echo x) `id` "; *\n'
  const clock = new FakeClock()
  await using program = await startProgram(['printf', '%s', argument], {
    clock,
    killAfterMs: 1_000,
  })
  t.is(await text(program.stdout), argument)
  t.is(await program.ended(), 'printf ended with status 0')
})

test('a program that ends says how', async t => {
  const options = { clock: new FakeClock(), killAfterMs: 1_000 }
  await using failing = await startProgram(sh('exit 7'), options)
  await text(failing.stdout)
  t.is(await failing.ended(), 'sh ended with status 7')
  await using killed = await startProgram(sh('kill -KILL $$'), options)
  await text(killed.stdout)
  t.is(await killed.ended(), 'sh was ended by SIGKILL')
  await Promise.all([failing[Symbol.asyncDispose](), killed[Symbol.asyncDispose]()])
  t.is(options.clock.pending, 0)
})

test('a program that is not there, or may not run, is named with its path, before it is started as well', async t => {
  const options = { clock: new FakeClock(), killAfterMs: 1_000 }
  await t.throwsAsync(startProgram(['/nowhere/zigbee-door'], options), {
    code: 'ERR_CONFIG',
    message: 'there is no program /nowhere/zigbee-door',
  })
  const own = fileURLToPath(import.meta.url)
  await t.throwsAsync(startProgram([own], options), { message: `this user may not execute ${own}` })
  t.is(programProblem('zigbee-door')?.message, 'there is no program zigbee-door')
  t.is(programProblem('sh'), undefined)
  await t.throwsAsync(startProgram(['sh', 'a\0b'], options), { code: 'ERR_CONFIG' })
})

test('disposing ends the program and all that it started', async t => {
  const { path, gone } = await witness(t)
  const script = 'exec 9>"$1"; sleep 1000 & (sleep 1000; true) & echo ready; wait'
  const clock = new FakeClock()
  const program = await startProgram(sh(script, path), { clock, killAfterMs: 1_000 })
  await once(program.stdout, 'readable')
  await Promise.all([program[Symbol.asyncDispose](), program[Symbol.asyncDispose]()])
  t.is(await gone, '')
  t.is(clock.pending, 0)
})

test('a program that ignores SIGTERM is killed at the deadline, with all that it started', async t => {
  const { path, gone } = await witness(t)
  const script = 'trap "" TERM; exec 9>"$1"; sleep 1000 & echo ready; sleep 1000'
  const clock = new FakeClock()
  const program = await startProgram(sh(script, path), { clock, killAfterMs: 2_000 })
  await once(program.stdout, 'readable')
  const ended = program[Symbol.asyncDispose]()
  await clock.advance(2_000)
  await ended
  t.is(await gone, '')
  t.is(clock.pending, 0)
})

test('what a program leaves behind when it ends by itself is ended too', async t => {
  const { path, gone } = await witness(t)
  const clock = new FakeClock()
  const script = 'exec 9>"$1"; sleep 1000 & exit 3'
  await using program = await startProgram(sh(script, path), { clock, killAfterMs: 2_000 })
  t.is(await text(program.stdout), '')
  t.is(await gone, '')
  t.is(await program.ended(), 'sh ended with status 3')
})

test('output that a process outside the group holds open is closed after a while', async t => {
  const clock = new FakeClock()
  const { path, gone } = await witness(t)
  // setsid makes a group of its own, which no signal of ours reaches. Its parent ends once it has.
  const escaped = 'exec 9>"$1"; echo $$; echo > "$1.escaped"; exec sleep 100'
  const script = `mkfifo "$1.escaped"; setsid sh -c '${escaped}' sh "$1" & read -r _ < "$1.escaped"; exit 4`
  const program = await startProgram(sh(script, path), { clock, killAfterMs: 2_000 })
  const [chunk] = (await once(program.stdout, 'data')) as [Buffer]
  t.is(await program.ended(), 'sh ended with status 4')
  const closed = once(program.stdout, 'close')
  await clock.advance(2_000)
  await closed
  process.kill(Number(chunk.toString()), 'SIGKILL')
  t.is(await gone, '')
  await program[Symbol.asyncDispose]()
})

test('a program that goes on with its output closed is ended', async t => {
  const clock = new FakeClock()
  const script = 'exec >&-; exec sleep 1000'
  await using program = await startProgram(sh(script), { clock, killAfterMs: 2_000 })
  await text(program.stdout)
  const ended = program.ended()
  await clock.advance(2_000)
  t.is(await ended, 'sh was ended by SIGTERM')
})

/** A process of a node that runs one program, `script`, which is told the path of a witness. */
function startNode(script: string, path: string, afterwards: string) {
  const url = new URL('../../../../node/sensors/drivers/program-process.ts', import.meta.url)
  const clockUrl = new URL('../../../../node/lib/clock.ts', import.meta.url)
  const source = `
    import { once } from 'node:events'
    import { programProblem, startProgram } from ${JSON.stringify(url.href)}
    import { systemClock as clock } from ${JSON.stringify(clockUrl.href)}
    const command = ['sh', '-c', process.argv[1], 'sh', process.argv[2]]
    const program = await startProgram(command, { clock, killAfterMs: 1000 })
    await once(program.stdout, 'readable')
    ${afterwards}
  `
  return spawn(process.execPath, ['--input-type=module', '-e', source, script, path], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

test('a node that exits without disposing leaves no program behind', async t => {
  const { path, gone } = await witness(t)
  const node = startNode('exec 9>"$1"; echo ready; sleep 1000', path, 'process.exit(0)')
  t.deepEqual(await once(node, 'exit'), [0, null])
  t.is(await gone, '')
})

test('a node that is killed leaves no program behind, nor what it started', async t => {
  const { path, gone } = await witness(t)
  const script = 'exec 9>"$1"; sleep 1000 & echo ready; sleep 1000'
  const node = startNode(script, path, 'process.kill(process.pid, "SIGKILL")')
  t.deepEqual(await once(node, 'exit'), [null, 'SIGKILL'])
  t.is(await gone, '')
})

test('a program that ignores SIGTERM ends with a node that is killed as well', async t => {
  const { path, gone } = await witness(t)
  const script = 'trap "" TERM; exec 9>"$1"; echo ready; while :; do sleep 1000; done'
  const node = startNode(script, path, 'process.kill(process.pid, "SIGKILL")')
  t.deepEqual(await once(node, 'exit'), [null, 'SIGKILL'])
  t.is(await gone, '')
})

test('a program has input where it asks for some, and none otherwise', async t => {
  const options = { clock: new FakeClock(), killAfterMs: 1_000 }
  await using without = await startProgram(['cat'], options)
  t.is(without.stdin, undefined)
  t.is(await text(without.stdout), '')
  await using program = await startProgram(['cat'], { ...options, hasInput: true })
  program.stdin?.end('4.5\n')
  t.is(await text(program.stdout), '4.5\n')
})
