import { generate } from 'lean-qr/nano'

/** Modules of quiet around a code, without which cameras do not find it. */
const QUIET = 4

/** A text as a code for a camera. Dark on light, in the dark too: not every camera reads the reverse. */
export function QrCode({ text, title }: { readonly text: string; readonly title: string }) {
  const code = generate(text)
  const size = code.size + 2 * QUIET
  let path = ''
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) {
      if (code.get(x, y)) path += `M${x + QUIET} ${y + QUIET}h1v1h-1z`
    }
  }
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={title}>
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
