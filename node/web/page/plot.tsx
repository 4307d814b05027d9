import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { call, clockOffset } from './connection.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const HEIGHT_PX = 160

/** The windows of time that are shown, each with the sums that are read for it. */
const WINDOWS = [
  { title: '24 hours', ms: DAY_MS, table: 'minutes', stepMs: 60_000 },
  { title: '7 days', ms: 7 * DAY_MS, table: 'hours', stepMs: HOUR_MS },
  { title: 'a year', ms: 365 * DAY_MS, table: 'hours', stepMs: HOUR_MS },
] as const

type Window = (typeof WINDOWS)[number]

/** Moments in seconds since 1970, and the lowest and highest of each; null where nothing is known. */
interface Band {
  /** The whole window, in seconds since 1970, however much of it is known. */
  readonly window: readonly [from: number, to: number]
  readonly moments: number[]
  readonly lows: (number | null)[]
  readonly highs: (number | null)[]
}

/** The past of a sensor, as a band of lowest and highest in which gaps are gaps. */
export function HistoryPlot({ sensor }: { readonly sensor: string }) {
  const [window, choose] = useState<Window>(WINDOWS[0])
  const [band, setBand] = useState<Band>()
  const [failure, setFailure] = useState('')
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    let isWanted = true
    const read = async (): Promise<void> => {
      try {
        const next = await readBand(sensor, window)
        if (isWanted) setBand(next)
        if (isWanted) setFailure('')
      } catch (error) {
        if (isWanted) setBand(undefined)
        if (isWanted) setFailure((error as Error).message)
      }
    }
    void read()
    const again = setInterval(() => void read(), window.stepMs)
    return () => {
      isWanted = false
      clearInterval(again)
    }
  }, [sensor, window])
  useEffect(() => {
    if (place.current === null || !isKnown(band)) return
    const shown = place.current
    const plot = draw(shown, band)
    const resized = new ResizeObserver(() =>
      plot.setSize({ width: shown.clientWidth, height: HEIGHT_PX }),
    )
    resized.observe(shown)
    return () => {
      resized.disconnect()
      plot.destroy()
    }
  }, [band])
  return (
    <figure>
      <div class="windows" role="group" aria-label={`What is shown of ${sensor}`}>
        {WINDOWS.map(one => (
          <button
            key={one.title}
            type="button"
            aria-pressed={one === window}
            onClick={() => choose(one)}
          >
            {one.title}
          </button>
        ))}
      </div>
      <div ref={place} class="plot" aria-hidden="true" />
      <figcaption>{failure === '' ? describe(band, window) : failure}</figcaption>
    </figure>
  )
}

async function readBand(sensor: string, { ms, table, stepMs }: Window): Promise<Band> {
  const to = Date.now() + clockOffset.value
  const from = Math.floor(to - ms)
  const window = [from / 1_000, to / 1_000] as const
  const band: Band = { window, moments: [], lows: [], highs: [] }
  let last: number | undefined
  for (let after: number | null = null; ;) {
    const request = { sensor, table, from, to: Math.floor(to), after }
    const page = (await call('history', request)) as {
      rows: readonly (readonly (number | null)[])[]
      next: number | null
    }
    for (const [start, , , , low, high] of page.rows) {
      if (start === undefined || start === null) continue
      if (last !== undefined && start > last + stepMs) add(band, last + stepMs, null, null)
      add(band, start, low ?? null, high ?? null)
      last = start
    }
    if (page.next === null) return band
    after = page.next
  }
}

function add({ moments, lows, highs }: Band, at: number, low: number | null, high: number | null) {
  moments.push(at / 1_000)
  lows.push(low)
  highs.push(high)
}

/** Whether there is anything to draw. */
function isKnown(band: Band | undefined): band is Band {
  return band?.lows.some(value => value !== null) === true
}

function describe(band: Band | undefined, { title }: Window): string {
  const lows = (band?.lows ?? []).filter(value => value !== null)
  const highs = (band?.highs ?? []).filter(value => value !== null)
  if (lows.length === 0) return `Nothing is known of the last ${title}.`
  const least = lows.reduce((a, b) => Math.min(a, b)).toFixed(2)
  const most = highs.reduce((a, b) => Math.max(a, b)).toFixed(2)
  return `Last ${title}: lowest ${least}, highest ${most}.`
}

function draw(place: HTMLElement, { window: [from, to], moments, lows, highs }: Band): uPlot {
  const style = getComputedStyle(place)
  const ink = style.color
  const line = style.getPropertyValue('--line') || ink
  const axis = { stroke: ink, grid: { stroke: style.getPropertyValue('--grid'), width: 1 } }
  return new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: true, range: [from, to] } },
      axes: [axis, { ...axis, size: 44 }],
      series: [
        {},
        { stroke: line, width: 1, spanGaps: false },
        { stroke: line, width: 1, spanGaps: false },
      ],
      bands: [{ series: [2, 1], fill: style.getPropertyValue('--band') }],
    },
    [moments, lows, highs],
    place,
  )
}
