/**
 * A text of somebody else's as one line: no line feed, no control character that a terminal would
 * obey, and nothing that turns the writing round.
 */
export function printable(text: string): string {
  return text.replaceAll(/\s+/gu, ' ').replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, '\uFFFD')
}

/** What a terminal may be shown: lines and our own colours. A stolen node chooses many texts. */
export function forTerminal(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/(?!\n|\t|\u001B\[\d{0,2}m)[\p{Cc}\p{Bidi_Control}]/gu, '\uFFFD')
}
