import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { startAlarmProgram } from '../../../node/alarms/alarm-program.ts'
import type { Alarm, AlarmChange } from '../../../node/alarms/alarm.ts'
import type { Clock } from '../../../node/lib/clock.ts'
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
const RAISED: AlarmChange = { state: 'raised', alarm: ALARM }
const OVER: AlarmChange = { state: 'over', alarm: { ...ALARM, until: 3 } }

/** Its pauses before another run are none. */
const HASTY_CLOCK: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  after: (ms, task) => systemClock.after(ms, task),
  sleep: async () => undefined,
}

function start(argv: readonly string[], clock: Clock = HASTY_CLOCK) {
  const said: string[] = []
  let more = Promise.withResolvers<void>()
  const wake = (): void => {
    more.resolve()
    more = Promise.withResolvers()
  }
  const say = (fields: object, text: string): void => {
    said.push(`${text} ${JSON.stringify(fields)}`)
    wake()
  }
  const program = startAlarmProgram({
    argv,
    clock,
    random: () => 0,
    log: { ...silentLog, warn: say, info: say },
    unsent: [],
    settled: async () => undefined,
    onChange: wake,
    onHealth: () => {},
  })
  const warned = async (count: number): Promise<string[]> => {
    while (said.length < count) await more.promise
    return said
  }
  const told = async (): Promise<void> => {
    while (program.unsent.length > 0) await more.promise
  }
  return { program, warned, told, said }
}

test('a program reads each change of an alarm as a line of JSON, one after the other', async t => {
  const file = join(await makeTestFolder(t), 'told')
  const { program, told, said } = start(['sh', '-c', 'cat >> "$1"', 'sh', file])
  program.tell(RAISED)
  program.tell(OVER)
  await told()
  await program[Symbol.asyncDispose]()
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  t.is(lines.length, 2)
  t.like(JSON.parse(lines[0] ?? ''), {
    state: 'raised',
    text: 'open for more than 5m: close it',
    ...ALARM,
  })
  t.like(JSON.parse(lines[1] ?? ''), { state: 'over', id: ALARM.id, until: 3 })
  t.deepEqual(said, [])
})

test('a program that fails is run again for the same change, and the next one waits', async t => {
  const folder = await makeTestFolder(t)
  // It fails three times: so often it can put something more into the file.
  const script = 'cat >> "$1"; [ $(wc -l < "$1") -gt 3 ] || { echo no network >&2; exit 75; }'
  const { program, told, said } = start(['sh', '-c', script, 'sh', join(folder, 'told')])
  program.tell(RAISED)
  program.tell(OVER)
  await told()
  await program[Symbol.asyncDispose]()
  const lines = (await readFile(join(folder, 'told'), 'utf8')).trim().split('\n')
  t.deepEqual(
    lines.map(line => (JSON.parse(line) as { state: string }).state),
    ['raised', 'raised', 'raised', 'raised', 'over'],
  )
  t.is(said.length, 2)
  t.regex(said[0] ?? '', /has failed .*sh ended with status 75: no network/)
  t.regex(said[1] ?? '', /works again/)
})

test('a program that is not there, or does not read, is said once, and its change waits', async t => {
  const missing = start(['/nonexistent/program'], systemClock)
  missing.program.tell(RAISED)
  t.regex((await missing.warned(1))[0] ?? '', /there is no program/)
  await missing.program[Symbol.asyncDispose]()
  t.deepEqual(missing.program.unsent, [RAISED])
  const deaf = start(['false'], systemClock)
  deaf.program.tell(RAISED)
  t.regex((await deaf.warned(1))[0] ?? '', /false ended with status 1/)
  await deaf.program[Symbol.asyncDispose]()
})

test('a node that stops ends the program that still runs, and its change is told by the next run', async t => {
  const file = join(await makeTestFolder(t), 'began')
  await writeFile(file, '')
  const { program } = start(['sh', '-c', 'echo $$ > "$1"; exec sleep 1000', 'sh', file])
  program.tell(RAISED)
  let pid = ''
  while (pid === '') pid = (await readFile(file, 'utf8')).trim()
  await program[Symbol.asyncDispose]()
  t.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' })
  t.deepEqual(program.unsent, [RAISED])
})
