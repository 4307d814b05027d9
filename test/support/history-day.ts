import { dirname } from 'node:path'
import type { ExecutionContext } from 'ava'
import { runCommand } from './cli.ts'
import { FakeClock } from './fake-clock.ts'
import { BEGIN, HOUR_MS, makeHistory, type TestHistory } from './history.ts'

export interface HistoryFolder {
  readonly history: TestHistory
  /** Run `fridge history …` on the folder, two days after it begins. */
  readonly run: (...args: string[]) => ReturnType<typeof runCommand>
  /** The same, in a time zone. */
  readonly runIn: (zone: string, ...args: string[]) => ReturnType<typeof runCommand>
}

/** The alarm of the warm hours, as the history keeps it. */
const WARM = {
  id: '0123456789ab',
  rule: 'high',
  limit: 8,
  forMs: HOUR_MS,
  since: BEGIN + 5 * HOUR_MS,
  raisedAt: BEGIN + 6 * HOUR_MS,
  value: 9.5,
  extreme: 9.5,
}

function tellAlarm(
  history: TestHistory,
  type: 'raised' | 'over' | 'acknowledged',
  alarm: object,
): void {
  const detail = JSON.stringify(alarm)
  const writer = history.writer()
  writer.alarm({ sensor: 'temperature', type, detail }, writer.writtenUntil)
}

/** Run `fridge history …` on the folder of a history, two days after it begins. */
export function folderOf(history: TestHistory): HistoryFolder {
  const clock = new FakeClock(BEGIN + 48 * HOUR_MS)
  const cwd = dirname(history.file)
  const runIn: HistoryFolder['runIn'] = async (TZ, ...args) =>
    runCommand(['history', ...args, '--data', cwd], { clock, cwd, env: { TZ } })
  return { history, runIn, run: async (...args) => runIn('UTC', ...args) }
}

/** A day of a fridge: warm for two hours, off for one, its thermometer silent for half an hour. */
export async function aDay(t: ExecutionContext): Promise<HistoryFolder> {
  const history = await makeHistory(t)
  for (let minute = 0; minute < 1_440; minute += 1) {
    const moment = BEGIN + minute * 60_000
    if (minute === 600) history.writer().end(moment, 'the node stopped')
    if (minute === 660) history.restart(moment)
    if (minute >= 600 && minute < 660) continue
    if (minute === 900) history.unavailable('temperature', moment, 'no <answer>')
    if (minute >= 900 && minute < 930) continue
    if (minute === 360) tellAlarm(history, 'raised', WARM)
    if (minute === 420) tellAlarm(history, 'over', { ...WARM, until: moment })
    history.reading(minute >= 300 && minute < 420 ? 9.5 : 4.25, moment)
    if (minute % 120 === 10) history.move('open', moment + 1_000)
    if (minute % 120 === 11) history.move('close', moment + 1_000)
  }
  const call = { subject: 'client/laptop-7', command: 'powerOff', outcome: 'done: power is off' }
  history.writer().command(call, BEGIN + 24 * HOUR_MS)
  const noted = { by: 'client/c1', at: BEGIN + 30 * HOUR_MS, comment: 'moved <them>' }
  tellAlarm(history, 'acknowledged', { ...WARM, until: BEGIN + 7 * HOUR_MS, acknowledged: noted })
  history.writer().end(BEGIN + 24 * HOUR_MS, 'the node stopped')
  return folderOf(history)
}

/** The day, as options say it. */
export const SPAN = ['--from', '2026-01-01', '--to', '2026-01-02']
