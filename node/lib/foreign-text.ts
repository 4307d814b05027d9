/**
 * What a terminal obeys, what turns the writing round, and what is there without being seen
 * (Unicode 16, "Default_Ignorable_Code_Point", and the pattern of Braille without a dot, which looks
 * like a space). How an emoji is shown is no harm.
 */
const UNSEEN = /(?![\uFE0E\uFE0F])[\u2800\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu

/**
 * A text that somebody else chose, as a person may be shown it: one line, so that it can be taken
 * for no line of ours, and nothing in it that acts or hides. It may be as long as it was.
 */
export function foreignText(text: string): string {
  return text.replaceAll(/\s+/gu, ' ').replaceAll(UNSEEN, '\uFFFD')
}
