import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { AlarmProgram } from '../../../node/alarms/alarm-program.ts'
import type { Alarm } from '../../../node/alarms/alarm.ts'
import { systemClock } from '../../../node/lib/clock.ts'
import { silentLog } from '../../../node/lib/log.ts'
import { makeTestFolder } from '../../support/certs.ts'

const ALARM: Alarm = {
  id: '0123456789ab',
  node: 'node-1',
  sensor: 'door',
  kind: 'door',
  rule: 'open',
  forMs: 300_000,
  since: 1,
  raisedAt: 2,
}

function start(argv: readonly string[]) {
  const said: string[] = []
  let more = Promise.withResolvers<void>()
  const warn = (fields: object, text: string): void => {
    said.push(`${text} ${JSON.stringify(fields)}`)
    more.resolve()
    more = Promise.withResolvers()
  }
  const program = new AlarmProgram({ argv, clock: systemClock, log: { ...silentLog, warn } })
  const warned = async (count: number): Promise<string[]> => {
    while (said.length < count) await more.promise
    return said
  }
  return { program, warned }
}

test('a program reads each change of an alarm as a line of JSON, one after the other', async t => {
  const file = join(await makeTestFolder(t), 'told')
  // What it prints is nothing, and its failure says that it has come so far.
  const { program, warned } = start(['sh', '-c', 'cat >> "$1"; echo done >&2; exit 1', 'sh', file])
  program.tell({ state: 'raised', alarm: ALARM })
  program.tell({ state: 'over', alarm: { ...ALARM, until: 3 } })
  const said = await warned(2)
  await program[Symbol.asyncDispose]()
  t.regex(said[0] ?? '', /the program for alarms has failed .*sh ended with status 1.*done/)
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  t.like(JSON.parse(lines[0] ?? ''), {
    state: 'raised',
    text: 'open for more than 5m: close it',
    ...ALARM,
  })
  t.like(JSON.parse(lines[1] ?? ''), { state: 'over', id: ALARM.id, until: 3 })
})

test('a program that is not there, or does not read, is said and costs nothing else', async t => {
  const missing = start(['/nonexistent/program'])
  missing.program.tell({ state: 'raised', alarm: ALARM })
  t.regex((await missing.warned(1))[0] ?? '', /there is no such program/)
  await missing.program[Symbol.asyncDispose]()
  const deaf = start(['false'])
  deaf.program.tell({ state: 'raised', alarm: ALARM })
  t.regex((await deaf.warned(1))[0] ?? '', /false ended with status 1/)
  await deaf.program[Symbol.asyncDispose]()
})

test('a node that stops ends the program that still runs', async t => {
  const file = join(await makeTestFolder(t), 'began')
  const { program } = start(['sh', '-c', 'echo $$ > "$1"; exec sleep 1000', 'sh', file])
  program.tell({ state: 'raised', alarm: ALARM })
  let pid = ''
  while (pid === '') pid = (await readFile(file, 'utf8').catch(() => '')).trim()
  await program[Symbol.asyncDispose]()
  t.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' })
})
