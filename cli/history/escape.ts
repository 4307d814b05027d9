import { foreignText } from '../../node/lib/foreign-text.ts'

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A text of somebody else's within HTML or SVG: nothing of it is markup, and nothing of it is hidden. */
export function escapeText(text: string): string {
  return foreignText(text).replaceAll(/[&<>"']/g, character => ENTITIES[character] ?? '')
}
