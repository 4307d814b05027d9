/** What a grant narrows, as the node says it (PROTOCOL.md, "Changes"). */
export interface Terms {
  readonly sensors?: readonly string[]
  readonly commands?: readonly string[]
  readonly keys?: readonly string[]
  readonly expiresAt?: number
  readonly public?: true
  readonly views?: readonly string[]
}

/** The terms of a grant in words. */
export function describeTerms({ sensors, commands, keys, expiresAt, ...more }: Terms): string {
  return [
    sensors === undefined ? 'all sensors' : `sensors ${namesIn(sensors)}`,
    commands === undefined ? 'all commands' : `commands ${namesIn(commands)}`,
    more.views === undefined ? '' : `views ${namesIn(more.views)}`,
    more.public === true ? 'sensors without signing in' : '',
    keys === undefined ? '' : `${keys.length} ${keys.length === 1 ? 'key' : 'keys'}`,
    expiresAt === undefined ? '' : `until ${new Date(expiresAt).toLocaleString()}`,
  ]
    .filter(part => part !== '')
    .join(', ')
}

function namesIn(names: readonly string[]): string {
  return names.join(' ') || 'none'
}
