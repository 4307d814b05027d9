import { OWN_CODES } from './style.ts'

const REFUSED = new RegExp(
  String.raw`(?!\n|\t|\u001B\[(?:${OWN_CODES.join('|')})m)[\p{Cc}\p{Bidi_Control}]`,
  'gu',
)

/** What a terminal may be shown: lines, and the styles that we use. A stolen node chooses many texts. */
export function forTerminal(text: string): string {
  return text.replaceAll(REFUSED, '\uFFFD')
}
