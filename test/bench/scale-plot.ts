/** A line of a plot. */
export interface Line {
  readonly label: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

const PANEL = { width: 420, height: 300, left: 60, top: 40, right: 90, bottom: 45 }

const COLOURS = ['#0b6e99', '#b4552d', '#5b7f3a']

/** Panels beside each other, as SVG, with logarithmic axes. */
export function plotOf(xLabel: string, panels: Readonly<Record<string, readonly Line[]>>): string {
  const drawn = Object.entries(panels).map(
    ([title, lines], index) =>
      `<g transform="translate(${index * PANEL.width} 0)">${panelOf(title, xLabel, lines)}</g>`,
  )
  const width = drawn.length * PANEL.width
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${PANEL.height}" font-family="sans-serif" font-size="12">`
  return `${head}\n<rect width="100%" height="100%" fill="white"/>\n${drawn.join('\n')}\n</svg>\n`
}

function panelOf(title: string, xLabel: string, lines: readonly Line[]): string {
  const { width, height, left, top, right, bottom } = PANEL
  const points = lines.flatMap(line => line.points)
  const x = scaleOf(
    points.map(([value]) => value),
    [left, width - right],
  )
  const y = scaleOf(
    points.map(([, value]) => value),
    [height - bottom, top],
  )
  const parts = [
    `<text x="${left}" y="22" font-weight="bold">${title}</text>`,
    ...x.ticks.map(
      tick =>
        `<path d="M${x.at(tick)} ${top}V${height - bottom}" stroke="#ddd"/><text x="${x.at(tick)}" y="${height - bottom + 16}" text-anchor="middle">${tick.toLocaleString('en')}</text>`,
    ),
    ...y.ticks.map(
      tick =>
        `<path d="M${left} ${y.at(tick)}H${width - right}" stroke="#ddd"/><text x="${left - 6}" y="${y.at(tick) + 4}" text-anchor="end">${tick.toLocaleString('en')}</text>`,
    ),
    `<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${xLabel}</text>`,
  ]
  for (const [index, line] of lines.entries()) {
    const colour = COLOURS[index % COLOURS.length] ?? ''
    const path = line.points.map(([px, py]) => `${x.at(px)} ${y.at(py)}`).join('L')
    parts.push(`<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/>`)
    const [lastX = 1, lastY = 1] = line.points.at(-1) ?? []
    parts.push(
      `<text x="${x.at(lastX) + 6}" y="${y.at(lastY) + 4}" fill="${colour}">${line.label}</text>`,
    )
  }
  return parts.join('\n')
}

/** A logarithmic axis from one power of ten to another. */
function scaleOf(
  values: readonly number[],
  [from, to]: readonly [number, number],
): { readonly at: (value: number) => number; readonly ticks: readonly number[] } {
  const least = Math.floor(Math.log10(Math.min(...values)))
  const most = Math.max(Math.ceil(Math.log10(Math.max(...values))), least + 1)
  const at = (value: number): number =>
    Math.round(from + ((Math.log10(value) - least) / (most - least)) * (to - from))
  return {
    at,
    ticks: Array.from({ length: most - least + 1 }, (_, index) => 10 ** (least + index)),
  }
}
