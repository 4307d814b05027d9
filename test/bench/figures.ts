export function percent(share: number): string {
  return `${(share * 100).toFixed(2)} % of a core`
}

export function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(2)} kB`
}

export function milliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
