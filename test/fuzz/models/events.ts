import { linesOfText, valueOf } from './lines.ts'

/** PROTOCOL.md, "Events": what the text of a sub-stream must raise, and whether it is refused. */
export interface EventsModel {
  readonly events: readonly (readonly unknown[])[]
  readonly refused: boolean
}

export function modelEvents(
  text: string,
  { maxLineBytes, accepts }: { maxLineBytes: number; accepts: readonly string[] },
): EventsModel {
  const { lines, refused } = linesOfText(text, maxLineBytes)
  const events: unknown[][] = []
  for (const line of lines) {
    const event = valueOf(line, 32)?.value
    if (!Array.isArray(event) || !accepts.includes(event[0] as string) || event.length > 17) {
      return { events, refused: true }
    }
    events.push(event)
  }
  return { events, refused }
}
