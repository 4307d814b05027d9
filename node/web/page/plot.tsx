import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { call, clockOffset } from './connection.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const HEIGHT_PX = 160

/** The windows of time that are shown, each with the sums that are read for it. */
const WINDOWS = [
  { title: '24 hours', ms: DAY_MS, table: 'minutes', stepMs: 60_000 },
  { title: '7 days', ms: 7 * DAY_MS, table: 'hours', stepMs: HOUR_MS },
  { title: 'a year', ms: 365 * DAY_MS, table: 'hours', stepMs: HOUR_MS },
] as const

type Window = (typeof WINDOWS)[number]

/** What is drawn has the colours of the moment: it is drawn again when the browser turns dark. */
const darkness = matchMedia('(prefers-color-scheme: dark)')

/**
 * Moments in seconds since 1970, and the lowest and highest of each; null where nothing is known.
 * Of a door how long it was open, in minutes, and nothing below that.
 */
interface Band {
  /** The whole window, in seconds since 1970, however much of it is known. */
  readonly window: readonly [from: number, to: number]
  readonly moments: number[]
  readonly lows: (number | null)[]
  readonly highs: (number | null)[]
  /** How often a door was opened. */
  openings: number
}

/** Asks a node for a page of a history. */
export type AskPage = (request: object) => Promise<unknown>

const askOwn: AskPage = async request => call('history', request)

/** The past of a sensor, as a band of lowest and highest in which gaps are gaps; of a door, when it was open. */
export function HistoryPlot({
  sensor,
  kind,
  ask = askOwn,
}: {
  readonly sensor: string
  readonly kind: string
  readonly ask?: AskPage
}) {
  const [window, choose] = useState<Window>(WINDOWS[0])
  const [band, setBand] = useState<Band>()
  const [failure, setFailure] = useState('')
  const [isDark, setDark] = useState(darkness.matches)
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const turn = (): void => setDark(darkness.matches)
    darkness.addEventListener('change', turn)
    return () => darkness.removeEventListener('change', turn)
  }, [])
  useEffect(() => {
    let isWanted = true
    const read = async (): Promise<void> => {
      try {
        const next = await readBand(sensor, kind, window, ask)
        if (isWanted) setBand(next)
        if (isWanted) setFailure('')
      } catch (error) {
        if (isWanted) setBand(undefined)
        if (isWanted) setFailure((error as Error).message)
      }
    }
    // What is drawn is of another window.
    setBand(undefined)
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
    const plot = draw(shown, band, kind === 'door')
    const resized = new ResizeObserver(() =>
      plot.setSize({ width: shown.clientWidth, height: HEIGHT_PX }),
    )
    resized.observe(shown)
    return () => {
      resized.disconnect()
      plot.destroy()
    }
  }, [band, isDark])
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
      <figcaption>{failure === '' ? describe(band, kind, window) : failure}</figcaption>
    </figure>
  )
}

async function readBand(
  sensor: string,
  kind: string,
  { ms, table, stepMs }: Window,
  ask: AskPage,
): Promise<Band> {
  const to = Date.now() + clockOffset.value
  const from = Math.floor(to - ms)
  const window = [from / 1_000, to / 1_000] as const
  const band: Band = { window, moments: [], lows: [], highs: [], openings: 0 }
  let last: number | undefined
  for (let after: number | null = null; ;) {
    const request = { sensor, table, from, to: Math.floor(to), after }
    const page = (await ask(request)) as {
      rows: readonly (readonly (number | null)[])[]
      next: number | null
    }
    for (const row of page.rows) {
      const [start, , , , low, high, , openings, openMs] = row
      if (start === undefined || start === null) continue
      if (last !== undefined && start > last + stepMs) add(band, last + stepMs, null, null)
      if (kind === 'door') {
        add(band, start, 0, (openMs ?? 0) / MINUTE_MS)
        band.openings += openings ?? 0
      } else add(band, start, low ?? null, high ?? null)
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

function describe(band: Band | undefined, kind: string, { title }: Window): string {
  if (band === undefined) return `reading the last ${title}…`
  const lows = band.lows.filter(value => value !== null)
  const highs = band.highs.filter(value => value !== null)
  if (lows.length === 0) return `Nothing is known of the last ${title}.`
  if (kind === 'door') {
    const minutes = highs.reduce((sum, value) => sum + value, 0)
    return `Last ${title}: opened ${band.openings} times, open for ${minutes.toFixed(1)} min.`
  }
  const least = lows.reduce((a, b) => Math.min(a, b)).toFixed(2)
  const most = highs.reduce((a, b) => Math.max(a, b)).toFixed(2)
  return `Last ${title}: lowest ${least}, highest ${most}.`
}

/** The range of minutes: a door that was never open is no mountain. */
function fromZero(_plot: uPlot, _least: number, most: number): [number, number] {
  return [0, Math.max(1, most)]
}

function draw(
  place: HTMLElement,
  { window: [from, to], moments, lows, highs }: Band,
  isDoor: boolean,
): uPlot {
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
      scales: { x: { time: true, range: [from, to] }, ...(isDoor && { y: { range: fromZero } }) },
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
