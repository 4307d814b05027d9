import { addBucket, emptyBucket, startOf, type Bucket } from '../../node/history/bucket.ts'
import type { Span } from '../../node/history/reader.ts'
import { restOf } from '../../node/history/summary.ts'
import { SENSOR_KINDS } from '../../node/sensors/kinds.ts'
import { escapeText } from './escape.ts'
import { timeMarks, valueMarks } from './axis.ts'
import type { SensorRecord } from './record.ts'

export interface PlotOptions {
  /** In units of the picture; a browser takes them for pixels. */
  readonly width: number
  readonly height: number
}

const COLORS = {
  ink: '#1c2733',
  faint: '#6b7785',
  grid: '#dfe4ea',
  band: '#a9c7e8',
  line: '#15549a',
  limit: '#b3261e',
  excursion: '#f6d5d2',
  gap: '#8a94a0',
} as const

/** From the picture's edge to the axes. */
const MARGIN = { left: 46, right: 14, top: 12, bottom: 24 }

/** The strip below the axes in which openings of the door stand. */
const STRIP_HEIGHT = 18

/** Behind words that stand over something else. */
const HALO = 'stroke="#fff" stroke-width="3" paint-order="stroke"'

/** The least part of the axis of values that a flat line is shown in. */
const LEAST_RANGE = 2

/** The least part of an axis of parts of time, in percent. */
const LEAST_SHARE = 5

/** Where values and moments stand in the picture. */
interface Frame {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
  readonly low: number
  readonly high: number
  readonly x: (moment: number) => number
  readonly y: (value: number) => number
}

/**
 * A picture of a record: the band from the lowest to the highest, the mean in it, limits and
 * excursions, and hatched what is not known. Without a colour it can still be read.
 */
export function plotSvg(record: SensorRecord, { width, height }: PlotOptions): string {
  const isMeasured = SENSOR_KINDS[record.kind].quantity !== undefined
  const frame = frameOf(record, { width, height })
  const whose = `${record.sensor}${record.node === undefined ? '' : ` of ${record.node}`}`
  const name = `${whose}, times in ${record.zone.name}`
  const parts = [
    hatches(width),
    ...record.gaps.map(gap => rect(frame, gap, `url(#gap-${width})`)),
    ...record.outages.map(outage => rect(frame, outage, `url(#outage-${width})`)),
    ...record.excursions.map(({ since, until }) =>
      rect(frame, { from: since, to: until ?? record.span.to }, COLORS.excursion),
    ),
    ...grid(record, frame),
    known(record, frame, width),
    `<g clip-path="url(#known-${width})">`,
    ...(isMeasured ? readings(record, frame) : states(record, frame)),
    '</g>',
    ...limitLines(record, frame),
    ...record.excursions.map(({ since }) => marker(frame, since)),
    ...doorStrip(record, frame),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(name)}" font-family="system-ui, sans-serif" font-size="11">
<title>${escapeText(name)}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>`
}

function frameOf(record: SensorRecord, { width, height }: PlotOptions): Frame {
  const { span, door } = record
  const [low, high] = valueRange(record, width - MARGIN.left - MARGIN.right)
  const strip = door === undefined ? 0 : STRIP_HEIGHT
  const edges = {
    left: MARGIN.left,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: height - MARGIN.bottom - strip,
  }
  return {
    ...edges,
    low,
    high,
    x: moment =>
      edges.left + ((moment - span.from) / (span.to - span.from)) * (edges.right - edges.left),
    y: value => edges.bottom - ((value - low) / (high - low)) * (edges.bottom - edges.top),
  }
}

function valueRange(record: SensorRecord, width: number): [low: number, high: number] {
  const { kind, summary, limits } = record
  if (SENSOR_KINDS[kind].quantity === undefined) {
    const shares = columnsOf(record, width).buckets.map(openShare)
    return [0, Math.min(100, Math.max(LEAST_SHARE, ...shares) * 1.05)]
  }
  const values = [
    summary.lowest?.value,
    summary.highest?.value,
    ...limits.map(({ value }) => value),
  ]
  const known = values.filter(value => value !== undefined)
  if (known.length === 0) return [0, LEAST_RANGE]
  const [low, high] = [Math.min(...known), Math.max(...known)]
  const padding = Math.max((high - low) * 0.08, (LEAST_RANGE - (high - low)) / 2)
  return [low - padding, high + padding]
}

/** Lines for what was not recorded, dots for what could not be read; a page may have two pictures. */
function hatches(id: number): string {
  return `<defs><pattern id="gap-${id}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#f2f4f6"/><path d="M0 0V6" stroke="${COLORS.gap}" stroke-width="1.6"/></pattern>
<pattern id="outage-${id}" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" height="5" fill="#f7f8f9"/><circle cx="1.5" cy="1.5" r="1" fill="${COLORS.gap}"/></pattern></defs>`
}

function rect({ x, top, bottom, left, right }: Frame, { from, to }: Span, fill: string): string {
  const begin = Math.max(left, x(from))
  const end = Math.min(right, x(to))
  // What lasted a second is to be seen in a year.
  const width = Math.max(1, end - begin)
  return `<rect x="${fix(begin)}" y="${top}" width="${fix(width)}" height="${bottom - top}" fill="${fill}"/>`
}

/** Where something is known, down to the second: a column may have both, and a gap is no line. */
function known({ span, gaps, outages }: SensorRecord, frame: Frame, id: number): string {
  const { top, bottom, x } = frame
  const unknown = [...gaps, ...outages].sort((a, b) => a.from - b.from)
  const rects = restOf(span, unknown).map(
    ({ from, to }) =>
      `<rect x="${fix(x(from))}" y="${top}" width="${fix(x(to) - x(from))}" height="${bottom - top}"/>`,
  )
  return `<defs><clipPath id="known-${id}">${rects.join('')}</clipPath></defs>`
}

/** Points at an excursion that a long span shows a hair wide. */
function marker({ x, top, left }: Frame, moment: number): string {
  const at = Math.max(left, x(moment))
  return `<path d="M${fix(at - 4)} ${top - 8}h8l-4 7z" fill="${COLORS.limit}"/>`
}

function grid({ kind, span, zone }: SensorRecord, frame: Frame): string[] {
  const { left, right, top, bottom, x, y, low, high } = frame
  const unit = SENSOR_KINDS[kind].quantity?.symbol ?? '% open'
  const rows = valueMarks(low, high, Math.max(2, Math.floor((bottom - top) / 36)))
  const columns = timeMarks(span, Math.max(2, Math.floor((right - left) / 62)), zone)
  return [
    ...rows.map(
      ({ value, label }) =>
        `<path d="M${left} ${fix(y(value))}H${right}" stroke="${COLORS.grid}"/><text x="${left - 6}" y="${fix(y(value) + 4)}" text-anchor="end" fill="${COLORS.faint}">${label}</text>`,
    ),
    ...columns.map(
      ({ value, label }) =>
        `<path d="M${fix(x(value))} ${top}V${bottom + 4}" stroke="${COLORS.grid}"/><text x="${fix(x(value))}" y="${bottom + 16}" text-anchor="${anchorOf(x(value), frame)}" fill="${COLORS.faint}">${label}</text>`,
    ),
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="${COLORS.faint}"/>`,
    `<text x="${left + 4}" y="${top + 2}" fill="${COLORS.faint}" ${HALO}>${unit}</text>`,
    `<text x="${right - 4}" y="${top + 2}" text-anchor="end" fill="${COLORS.faint}" ${HALO}>${escapeText(zone.name)}</text>`,
  ]
}

/** Labels at both ends stay in the picture. */
function anchorOf(x: number, { left, right }: Frame): string {
  if (x - left < 16) return 'start'
  return right - x < 16 ? 'end' : 'middle'
}

/** Buckets put together, as many as the picture has columns; undefined where there is none. */
interface Columns {
  readonly buckets: readonly (Bucket | undefined)[]
  /** Where the first begins: with a minute or an hour, which may be before the span. */
  readonly begin: number
  readonly lengthMs: number
}

function columnsOf({ buckets, span, lengthMs }: SensorRecord, width: number): Columns {
  const most = Math.floor(width)
  const begin = startOf(span.from, lengthMs)
  const columnMs = Math.max(lengthMs, (span.to - begin) / most)
  const count = Math.max(1, Math.min(most, Math.ceil((span.to - begin) / columnMs)))
  const columns: (Bucket | undefined)[] = Array.from({ length: count }, () => undefined)
  for (const bucket of buckets) {
    const index = Math.floor((bucket.start + lengthMs / 2 - begin) / columnMs)
    const column = (columns[Math.max(0, Math.min(count - 1, index))] ??= emptyBucket(bucket.start))
    addBucket(column, bucket)
  }
  return { buckets: columns, begin, lengthMs: columnMs }
}

/** For how much of a column it was open, in percent. */
function openShare(column: Bucket | undefined): number {
  const { openMs, recordedMs } = column ?? emptyBucket(0)
  return recordedMs === 0 ? 0 : (100 * openMs) / recordedMs
}

interface Point {
  readonly x: number
  readonly low: number
  readonly high: number
  readonly mean: number
}

function readings(record: SensorRecord, frame: Frame): string[] {
  const { buckets, begin, lengthMs } = columnsOf(record, frame.right - frame.left)
  const step = frame.x(begin + lengthMs) - frame.x(begin)
  const runs: Point[][] = []
  let run: Point[] | undefined
  buckets.forEach((bucket, index) => {
    const { low, high, sum, count } = bucket ?? emptyBucket(0)
    if (low === undefined || high === undefined) run = undefined
    else {
      if (run === undefined) runs.push((run = []))
      const x = frame.x(begin + (index + 0.5) * lengthMs)
      run.push({ x, low: frame.y(low), high: frame.y(high), mean: frame.y(sum / count) })
    }
  })
  return runs.flatMap(points => drawRun(points, step))
}

function drawRun(points: readonly Point[], step: number): string[] {
  const [first] = points
  const last = points.at(-1)
  if (first === undefined || last === undefined) return []
  // A run of one column has its width.
  const ends = [{ ...first, x: first.x - step / 2 }, ...points, { ...last, x: last.x + step / 2 }]
  const upper = ends.map(({ x, high }) => `${fix(x)} ${fix(high - 0.4)}`)
  const lower = ends.toReversed().map(({ x, low }) => `${fix(x)} ${fix(low + 0.4)}`)
  const mean = ends.map(({ x, mean: y }) => `${fix(x)} ${fix(y)}`)
  return [
    `<path d="M${upper.join('L')}L${lower.join('L')}Z" fill="${COLORS.band}"/>`,
    `<path d="M${mean.join('L')}" fill="none" stroke="${COLORS.line}" stroke-width="1.3" stroke-linejoin="round"/>`,
  ]
}

/** For how much of each column it was open, as bars. */
function states(record: SensorRecord, frame: Frame): string[] {
  const { buckets, begin, lengthMs } = columnsOf(record, frame.right - frame.left)
  const step = frame.x(begin + lengthMs) - frame.x(begin)
  const bars = buckets.flatMap((bucket, index) => {
    if (bucket === undefined || bucket.openMs === 0) return []
    const y = frame.y(openShare(bucket))
    return [
      `M${fix(frame.x(begin + (index + 0.5) * lengthMs))} ${frame.bottom}V${fix(Math.min(y, frame.bottom - 1))}`,
    ]
  })
  return [
    `<path d="${bars.join('')}" stroke="${COLORS.line}" stroke-width="${fix(Math.max(1, step - 0.3))}"/>`,
  ]
}

function limitLines({ limits }: SensorRecord, { left, right, y }: Frame): string[] {
  return limits.map(
    ({ side, value }) =>
      `<path d="M${left} ${fix(y(value))}H${right}" stroke="${COLORS.limit}" stroke-width="1.2" stroke-dasharray="6 4"/><text x="${right - 4}" y="${fix(y(value) - 4)}" text-anchor="end" fill="${COLORS.limit}" ${HALO}>${side} ${value}</text>`,
  )
}

function doorStrip({ door }: SensorRecord, { left, right, bottom, x }: Frame): string[] {
  if (door === undefined) return []
  const y = bottom + MARGIN.bottom
  const ticks = door.moves
    .map(({ at }) => x(at))
    .filter(at => at >= left && at <= right)
    .map(at => `M${fix(at)} ${y - 2}V${y + 8}`)
  return [
    `<text x="${left - 6}" y="${y + 7}" text-anchor="end" fill="${COLORS.faint}">${escapeText(door.sensor.slice(0, 6))}</text>`,
    `<path d="M${left} ${y + 8}H${right}" stroke="${COLORS.grid}"/>`,
    `<path d="${[...new Set(ticks)].join('')}" stroke="${COLORS.ink}" stroke-opacity="0.7"/>`,
  ]
}

/** A tenth of a unit is finer than a printer. */
function fix(number: number): string {
  return String(Math.round(number * 10) / 10)
}
