import { isObject } from './lines.ts'

/** PROTOCOL.md, "One copy": frames of the trees, and what an end holds of certificates. */

/** A source, or a part of what a run says of itself. */
const PLACE = /^(?!\.{1,2}#)[\w.-]{1,64}#([0-9a-f]{16}(\.(state|vitals))?|[0-9a-f]{32})$/
const NAME = /^(?!\.{1,2}$)[\w.-]{1,64}$/

/** What has been said on a link and its stream before. */
export interface Said {
  readonly isDigested: boolean
  /** Whether the end has said what it holds, on any stream of the link. */
  readonly hasHeld: boolean
}

/** @returns whether a frame is good in form; undefined when it is another */
export function isTreeFrame(
  frame: Record<string, unknown>,
  document: string,
  { isDigested, hasHeld }: Said,
): boolean | undefined {
  const [key, ...others] = Object.keys(frame)
  if ('holds' in frame) {
    const { holds } = frame
    if (Object.keys(frame).length > 1 || hasHeld || !Array.isArray(holds)) return false
    return holds.length <= 16_384 && holds.every(one => isText(one, /^[\w-]{8}$/))
  }
  if (key === undefined || !['have', 'want', 'lazy', 'eager'].includes(key)) return undefined
  if (others.length > 0 || !isDigested) return false
  const value = frame[key]
  if (key === 'have') return isNews(value)
  if (key === 'want') {
    return Array.isArray(value) && value.length <= 512 && value.every(one => isText(one, PLACE))
  }
  return document === 'members' ? value === true : isText(value, NAME)
}

function isNews(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).length > 512) return false
  return Object.entries(value).every(([source, place]) => {
    const [sequence, ...rest] = Array.isArray(place) ? (place as unknown[]) : [place]
    if (!PLACE.test(source) || !Number.isSafeInteger(sequence) || (sequence as number) < 1) {
      return false
    }
    const [hash = ''] = rest
    return rest.length <= 1 && typeof hash === 'string' && hash.length <= 64
  })
}

function isText(value: unknown, form: RegExp): boolean {
  return typeof value === 'string' && form.test(value) && !value.endsWith('\n')
}
