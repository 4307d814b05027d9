import type { Acknowledgement, Alarm } from '../../node/alarms/alarm.ts'
import { MINUTE_MS } from '../../node/history/bucket.ts'
import type { Limit } from '../../node/history/limits.ts'
import type { Span } from '../../node/history/reader.ts'
import type { Extreme } from '../../node/history/summary.ts'
import { formatReading, SENSOR_KINDS } from '../../node/sensors/kinds.ts'
import { formatDuration } from '../duration.ts'
import type { Zone } from '../zone.ts'
import { describePast, type NotedExcursion } from './alarms.ts'
import { escapeText } from './escape.ts'
import { plotSvg } from './plot.ts'
import type { SensorRecord } from './record.ts'
import { STYLE } from './report-style.ts'

/** For paper and for a desk, and for a telephone. */
const WIDE = { width: 720, height: 270 }
const NARROW = { width: 344, height: 260 }

/** Rows of a table beyond which paper is wasted; the export has all. */
const MAX_ROWS = 200

/**
 * A report as one HTML file that needs nothing else, for paper and for screens.
 * @param madeAt when the report is made, in milliseconds since 1970
 */
export function reportPage(record: SensorRecord, madeAt: number): string {
  const { node, sensor, span, zone, lengthMs } = record
  const title = `${sensor}${node === undefined ? '' : ` of ${node}`}`
  const by = lengthMs === MINUTE_MS ? 'minutes' : 'hours'
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}, ${zone.day(span.from)} to ${zone.day(span.to)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeText(title)}</h1>
<p>${zone.minute(span.from)} to ${zone.minute(span.to)}, all times in ${zone.name}</p>
</header>
${verdict(record)}
<figure>
<div class="wide">${plotSvg(record, WIDE)}</div>
<div class="narrow">${plotSvg(record, NARROW)}</div>
<figcaption>${legend(record)}</figcaption>
</figure>
<section><h2>In short</h2>${figures(record)}</section>
${limitsSection(record)}
${alarmsSection(record)}
${doorSection(record)}
${gapsSection(record)}
<footer>
<p>Made ${zone.minute(madeAt)} by fridge from ${by} that the node recorded itself${record.signed === undefined ? '.' : ` and signed. Last signed hour of this report: ${zone.minute(record.signed.begin)}, digest`}</p>
${record.signed === undefined ? '<p>No digest: no hour of it is signed yet, or it was asked for by a client that may not read all sensors.</p>' : `<p><code>${escapeText(record.signed.digest)}</code></p><p>Whether anything was changed since: <code>fridge history verify --data DIR --digest ${escapeText(record.signed.digest)}</code></p>`}
<p class="signature">Checked by</p>
</footer>
</body>
</html>
`
}

/** What a reader wants to know first, in words: a colour says it beside them. */
function verdict(record: SensorRecord): string {
  const { limits, excursions, gaps, outages, span } = record
  const unknownMs = lengthOf(gaps) + lengthOf(outages)
  const unknown =
    unknownMs === 0
      ? ''
      : `Nothing is known of ${duration(unknownMs)} (${percent(unknownMs, span)} of the time).`
  if (limits.length === 0) return unknown === '' ? '' : `<p class="verdict">${unknown}</p>`
  if (excursions.length === 0) {
    // What was well in an hour of a week says nothing of the week.
    return unknownMs > (span.to - span.from) / 2
      ? `<p class="verdict">${unknown} ${wellWords(record)}</p>`
      : `<p class="verdict well">${wellWords(record)} ${unknown}</p>`
  }
  const open = excursions.filter(one => notesOf(one.alarms).length === 0).length
  const noted =
    open === 0
      ? 'acknowledged'
      : open === excursions.length
        ? 'not acknowledged'
        : `${open} of them not acknowledged`
  return `<p class="verdict bad">Outside its limits ${times(excursions.length)}, ${noted}. ${unknown}</p>`
}

function wellWords({ summary, passedMs }: SensorRecord): string {
  if (summary.readings === 0) return 'It was never read.'
  if (passedMs === 0) return 'Within its limits whenever it was read.'
  return `Never outside its limits for longer than allowed; outside for ${duration(passedMs)} in all.`
}

function figures({ kind, summary, span, zone }: SensorRecord): string {
  const { lowest, highest, mean, kineticMean, readings, openings, openMs } = summary
  const value = (celsius: number | undefined): string =>
    celsius === undefined ? 'none' : formatReading(kind, celsius)
  const extreme = (one: Extreme | undefined): string =>
    one === undefined
      ? 'none'
      : `${formatReading(kind, one.value)} <small>${zone.minute(one.at)}</small>`
  const { quantity } = SENSOR_KINDS[kind]
  const rows: [string, string][] =
    quantity === undefined
      ? [
          ['Opened', times(openings)],
          ['Open', `${duration(openMs)} <small>${percent(openMs, span)} of the time</small>`],
        ]
      : [
          ['Lowest', extreme(lowest)],
          ['Highest', extreme(highest)],
          ['Mean', value(mean)],
          ...(quantity.unit === 'C'
            ? [['Mean kinetic temperature', value(kineticMean)] as [string, string]]
            : []),
          ['Readings', readings.toLocaleString('en')],
        ]
  rows.push([
    'Recorded',
    `${percent(summary.recordedMs - summary.unavailableMs, span)} of the time`,
  ])
  return `<dl>${rows.map(([term, text]) => `<div><dt>${term}</dt><dd>${text}</dd></div>`).join('')}</dl>`
}

function limitsSection({ kind, limits, excursions, passedMs, span, zone }: SensorRecord): string {
  if (limits.length === 0) return ''
  const asked = limits.map(limit => describeLimit(kind, limit)).join(', ')
  return `<section><h2>Limits and excursions</h2><p>${asked}.</p>${
    excursions.length === 0
      ? `<p>None was passed${passedMs === 0 ? '' : ` for longer than it may be; outside for ${duration(passedMs)} in all`}.</p>`
      : table(
          ['From', 'For', 'Limit', 'Worst', 'Acknowledged'],
          excursions.map(one => excursionRow(kind, one, { span, zone })),
        )
  }</section>`
}

function excursionRow(
  kind: SensorRecord['kind'],
  { limit, since, until, extreme, alarms }: NotedExcursion,
  { span, zone }: Pick<SensorRecord, 'span' | 'zone'>,
): string[] {
  const ended = until === undefined ? ', not over' : ''
  return [
    zone.minute(since),
    `${duration((until ?? span.to) - since)}${ended}`,
    unbroken(`${limit.side} ${formatReading(kind, limit.value)}`),
    unbroken(formatReading(kind, extreme)),
    alarms.length === 0 ? 'the node raised no alarm' : notesCell(alarms, zone),
  ]
}

/** What the node itself took for an alarm, by its rules of then, and who has taken note of it. */
function alarmsSection({ alarms, span, zone }: SensorRecord): string {
  if (alarms.length === 0) return ''
  const shown = alarms.slice(0, MAX_ROWS)
  const rows = shown.map(alarm => [
    zone.minute(alarm.since),
    `${duration((alarm.until ?? span.to) - alarm.since)}${alarm.until === undefined ? ', not over' : ''}`,
    escapeText(describePast(alarm)),
    notesCell([alarm], zone),
  ])
  const more = alarms.length - shown.length
  return `<section><h2>Alarms of the node</h2>${table(['From', 'For', 'What', 'Acknowledged'], rows)}${
    more > 0 ? `<p>And ${more} more: fridge history show --alarms has all.</p>` : ''
  }</section>`
}

function notesOf(alarms: readonly Alarm[]): Acknowledgement[] {
  return alarms.flatMap(({ acknowledged }) => acknowledged ?? [])
}

/** Who knew of it, and when. */
function notesCell(alarms: readonly Alarm[], zone: Zone): string {
  const notes = notesOf(alarms).map(({ by, at, comment }) => {
    const words = comment === '' ? '' : `: ${escapeText(comment)}`
    return `${escapeText(by)}, ${zone.minute(at)}${words}`
  })
  return notes.length === 0 ? '<strong>no</strong>' : notes.join('<br>')
}

function describeLimit(kind: SensorRecord['kind'], { side, value, forMs }: Limit): string {
  const past = side === 'high' ? 'Not above' : 'not below'
  const reading = formatReading(kind, value)
  return `${past} ${reading}${forMs === 0 ? '' : ` for ${duration(forMs)} or longer`}`
}

function doorSection({ door, span }: SensorRecord): string {
  if (door === undefined) return ''
  return `<section><h2>Door</h2><p>${escapeText(door.sensor)}: opened ${times(door.openings)}, open for ${duration(door.openMs)} in all (${percent(door.openMs, span)} of the time).</p></section>`
}

function gapsSection({ gaps, outages, events, zone }: SensorRecord): string {
  const rows = [
    ...gaps.map(gap => ({ ...gap, why: 'not recorded' })),
    ...outages.map(outage => ({ ...outage, why: `unavailable: ${outage.reason}` })),
  ].sort((a, b) => a.from - b.from)
  const clocks = events.filter(({ type }) => type === 'clock')
  const shown = rows.slice(0, MAX_ROWS)
  const more = rows.length - shown.length
  const body =
    rows.length === 0
      ? '<p>None: it was recorded all the time.</p>'
      : table(
          ['From', 'For', 'Why'],
          shown.map(({ from, to, why }) => [
            zone.minute(from),
            duration(to - from),
            escapeText(why),
          ]),
        ) + (more > 0 ? `<p>And ${more} more: fridge history export has all.</p>` : '')
  const jumps = clocks.map(
    ({ at, detail }) =>
      `<li>The clock was set, or the machine slept: from ${zone.minute(Date.parse(detail))} to ${zone.minute(at)}.</li>`,
  )
  return `<section><h2>Gaps</h2>${body}${jumps.length === 0 ? '' : `<ul>${jumps.join('')}</ul>`}</section>`
}

function legend({ kind, limits, gaps, outages, door }: SensorRecord): string {
  const isMeasured = SENSOR_KINDS[kind].quantity !== undefined
  const items = [
    isMeasured ? ['line', 'mean'] : ['bar', 'part of the time for which it was open'],
    ...(isMeasured ? [['band', 'lowest to highest']] : []),
    ...(limits.length > 0
      ? [
          ['limit', 'limit'],
          ['excursion', 'excursion'],
        ]
      : []),
    ...(gaps.length > 0 ? [['gap', 'not recorded']] : []),
    ...(outages.length > 0 ? [['outage', 'sensor unavailable']] : []),
    ...(door === undefined ? [] : [['tick', `${escapeText(door.sensor)} opened`]]),
  ]
  return items.map(([mark, text]) => `<span><i class="${mark}"></i>${text}</span>`).join('')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]): string =>
    row.map((cell, column) => `<td data-name="${head[column] ?? ''}">${cell}</td>`).join('')
  return `<table><thead><tr>${head.map(name => `<th scope="col">${name}</th>`).join('')}</tr></thead><tbody>${rows.map(row => `<tr>${cells(row)}</tr>`).join('')}</tbody></table>`
}

function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { from, to }) => sum + to - from, 0)
}

function percent(ms: number, { from, to }: Span): string {
  const share = (100 * ms) / (to - from)
  // Nothing is rounded up to all of it.
  return `${share >= 100 ? '100' : (Math.floor(share * 10) / 10).toFixed(1)}\u00A0%`
}

function duration(ms: number): string {
  return ms < 1_000 ? 'less than 1s' : formatDuration(ms)
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`
}

/** A value that stays on one line. */
function unbroken(text: string): string {
  return text.replaceAll(' ', '\u00A0')
}
