import test from 'ava'
import { MINUTE_MS } from '../../../node/history/bucket.ts'
import {
  answerPage,
  bucketIn,
  historyRows,
  parseHistoryPage,
  parseHistoryRequest,
  type HistoryPage,
  type HistoryRequest,
  type HistoryTable,
} from '../../../node/history/page.ts'
import { BEGIN, HOUR_MS, makeHistory } from '../../support/history.ts'

const REQUEST = { sensor: 'temperature', table: 'minutes', from: 0, to: 1, after: null }

test('a request of any other form is refused, with why', t => {
  t.deepEqual(parseHistoryRequest(REQUEST), REQUEST)
  for (const [wrong, why] of [
    [null, /is not an object/],
    [[REQUEST], /is not an object/],
    [{ ...REQUEST, more: 1 }, /has unknown fields/],
    [{ ...REQUEST, sensor: '../door' }, /names no sensor/],
    [{ ...REQUEST, table: 'toString' }, /names none of minutes/],
    [{ ...REQUEST, from: -1 }, /names no span/],
    [{ ...REQUEST, to: '1' }, /names no span/],
    [{ ...REQUEST, to: 1e300 }, /names no span/],
    [{ ...REQUEST, after: 0.5 }, /goes on from nowhere/],
  ] as const) {
    const refusal = parseHistoryRequest(wrong)
    t.regex(typeof refusal === 'string' ? refusal : 'taken', why)
  }
})

test('what is no page of a history is refused', t => {
  const page = { kind: 'temperature', rows: [[1, 2, null, 'x', '']], next: null }
  t.deepEqual(parseHistoryPage(page, 'events'), page as ReturnType<typeof parseHistoryPage>)
  for (const wrong of [
    null,
    { ...page, kind: 'scale' },
    { ...page, rows: {} },
    { ...page, rows: [[{}]] },
    { ...page, rows: [[Infinity]] },
    { ...page, rows: [[1, 1e300, null, 'x', '']] },
    { ...page, rows: [[1, 2, null, 'x']] },
    { ...page, next: '1' },
  ]) {
    t.is(typeof parseHistoryPage(wrong, 'events'), 'string')
  }
})

test('pages without end, or that do not follow each other, are no history', async t => {
  const request = { sensor: 'temperature', table: 'events', from: 0, to: 1 } as const
  const page = { kind: 'temperature', rows: [] } as const
  let asked = 0
  const endless = historyRows(async ({ after }) => {
    asked += 1
    return { ...page, next: (after ?? 0) + 1 }
  }, request)
  await t.throwsAsync(Array.fromAsync(endless), { code: 'ERR_PROTOCOL', message: /no end/ })
  t.is(asked, 32_000)
  const again = historyRows(async () => ({ ...page, next: 1 }), request)
  await t.throwsAsync(Array.fromAsync(again), { code: 'ERR_PROTOCOL', message: /do not follow/ })
})

test('a page of more rows than a node answers with is refused', t => {
  const rows = Array.from({ length: 1_001 }, (_, at) => [at, at])
  const page = { kind: 'temperature', rows, next: null }
  t.is(parseHistoryPage(page, 'stretches'), 'it is no list of at most 1,000 rows')
  t.not(typeof parseHistoryPage({ ...page, rows: rows.slice(1) }, 'stretches'), 'string')
})

test('pages put together are the whole, none is long, and whatever is asked for ends', async t => {
  const history = await makeHistory(t)
  const hours = 60
  for (let minute = 0; minute < hours * 60; minute += 1) {
    history.reading(minute, BEGIN + minute * MINUTE_MS)
    history.move(minute % 2 === 0 ? 'open' : 'close', BEGIN + minute * MINUTE_MS + 1)
    if (minute % 100 === 0) history.writer().flush()
  }
  history.writer().end(BEGIN + hours * HOUR_MS, 'the end')
  const whole = { from: 0, to: 8.64e15 }
  const all = async (table: HistoryTable): Promise<readonly unknown[][]> => {
    let longest = 0
    const ask = async (request: HistoryRequest): Promise<HistoryPage> => {
      const page = history.read(reader => answerPage(reader, request))
      longest = Math.max(longest, page.rows.length)
      return page
    }
    const request = { sensor: 'temperature', table, ...whole }
    const rows = await Array.fromAsync(historyRows(ask, request))
    t.true(longest <= 1_000, table)
    return rows as unknown[][]
  }
  const minutes = (await all('minutes')).map(row => bucketIn(row as number[]))
  t.is(minutes.length, hours * 60)
  t.true(
    minutes.every(({ start, count }, index) => start === BEGIN + index * MINUTE_MS && count === 1),
  )
  t.is((await all('hours')).length, hours)
  t.deepEqual(
    (await all('readings')).map(([, , value]) => value),
    minutes.map((_, index) => index),
  )
  t.is((await all('stretches')).length, 1)
  t.is((await all('signed')).length, 1)
})
