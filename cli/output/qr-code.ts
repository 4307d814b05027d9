import { generate } from 'lean-qr'

/** Modules of quiet around a code, without which cameras do not find it (ISO/IEC 18004). */
const QUIET = 4

/** Two modules, one above the other, in one character: none, the lower, the upper, both. */
const BLOCKS = [' ', '▄', '▀', '█'] as const

/**
 * A text as a code for a camera, in lines for a terminal. What is dark in the code is left blank:
 * most terminals are dark, and cameras read the reverse of it as well.
 */
export function qrLines(text: string): string[] {
  const code = generate(text)
  const isLight = (x: number, y: number): number => Number(!code.get(x, y))
  const lines: string[] = []
  for (let y = -QUIET; y < code.size + QUIET; y += 2) {
    let line = ''
    for (let x = -QUIET; x < code.size + QUIET; x += 1) {
      line += BLOCKS[2 * isLight(x, y) + isLight(x, y + 1)] ?? ''
    }
    lines.push(line)
  }
  return lines
}
