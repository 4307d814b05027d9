import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { makeTestFolder } from '../support/certs.ts'
import { MAIN, runCommand } from '../support/cli.ts'

/** What a person sees who answers no question, on a terminal of its own. */

const hasTerminals = spawnSync('script', ['--version']).status === 0
const onTerminal = hasTerminals ? test : test.skip

const [CTRL_C, CTRL_D] = ['\u0003', '\u0004']

/** Run a command, and type keys where it has asked. */
async function answer(
  t: ExecutionContext,
  args: readonly string[],
  { cwd, asked, keys }: { readonly cwd: string; readonly asked: RegExp; readonly keys: string },
): Promise<{ readonly text: string; readonly status: number }> {
  const command = `exec ${[process.execPath, MAIN, ...args].join(' ')}`
  const child = spawn('script', ['-qfec', command, '/dev/null'], {
    cwd,
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'close') as Promise<[number]>
  let text = ''
  let isAnswered = false
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (isAnswered || !asked.test(text)) return
    isAnswered = true
    child.stdin.write(keys)
  })
  const [status] = await ended
  return { text, status }
}

for (const [name, keys] of [
  ['Ctrl-C', CTRL_C],
  ['Ctrl-D', CTRL_D],
] as const) {
  onTerminal(`${name} at a question is a no, and no fault of fridge`, async t => {
    const cwd = await makeTestFolder(t)
    await runCommand(['certs', 'init'], { cwd })
    await runCommand(['certs', 'request', 'client', 'till-7'], { cwd })
    const request = 'certs/clients/till-7/request.pem'
    const sign = ['certs', 'sign', request]
    const signed = await answer(t, sign, { cwd, asked: /\[y\/N\] /, keys })
    t.is(signed.status, 2, signed.text)
    t.regex(signed.text, /\r\nfridge: nothing was signed/)
    t.notRegex(signed.text, /fault of fridge/)
    const init = ['certs', 'init', '--encrypt', '--certs', 'other']
    const locked = await answer(t, init, { cwd, asked: /passphrase.*: /, keys })
    t.is(locked.status, 2, locked.text)
    t.regex(locked.text, /\r\nfridge: nothing was done: no passphrase was typed\r\n {2}to mend it/)
  })
}
