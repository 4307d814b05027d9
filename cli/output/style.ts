/** How text may look on a terminal: codes of "Select Graphic Rendition" (ECMA-48, section 8.3.117). */
const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const

export type Style = keyof typeof CODES

const RESET = 0

/** The codes that our own text holds; what comes from others may hold none. */
export const OWN_CODES: readonly number[] = [RESET, ...Object.values(CODES)]

/** Text in a style, where there are colours. What it says must not hang on them. */
export function styled(text: string, style: Style, hasColours: boolean): string {
  return hasColours ? `\u001B[${CODES[style]}m${text}\u001B[${RESET}m` : text
}

/** Whether colours are wanted on an output: on a terminal that has some, unless `NO_COLOR` is set (no-color.org). */
export function wantsColours(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
