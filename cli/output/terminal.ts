/** What a terminal may be shown: lines, and the colours that we use. A stolen node chooses many texts. */
export function forTerminal(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/(?!\n|\t|\u001B\[(?:0|31|32)m)[\p{Cc}\p{Bidi_Control}]/gu, '\uFFFD')
}
