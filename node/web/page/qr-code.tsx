import { useEffect, useState } from 'preact/hooks'

/** Modules of quiet around a code, without which cameras do not find it. */
const QUIET = 4

interface Drawing {
  /** Modules on each side, the quiet included. */
  readonly size: number
  readonly path: string
}

/** A text as a code for a camera. Dark on light, in the dark too: not every camera reads the reverse. */
export function QrCode({ text, title }: { readonly text: string; readonly title: string }) {
  const [drawing, setDrawing] = useState<Drawing>()
  useEffect(() => {
    let isWanted = true
    const show = async (): Promise<void> => {
      // Without its code the text is still there to be read.
      const next = await draw(text).catch(() => undefined)
      if (isWanted) setDrawing(next)
    }
    void show()
    return () => {
      isWanted = false
    }
  }, [text])
  if (drawing === undefined) return null
  const { size, path } = drawing
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={title}>
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}

async function draw(text: string): Promise<Drawing> {
  // Loaded when it is first needed: whoever is let in never sees a code.
  const { generate } = await import('lean-qr/nano')
  const code = generate(text)
  let path = ''
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) {
      if (code.get(x, y)) path += `M${x + QUIET} ${y + QUIET}h1v1h-1z`
    }
  }
  return { size: code.size + 2 * QUIET, path }
}
