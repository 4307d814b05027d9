import { signal } from '@preact/signals'
import { ChannelOpener } from '../../seal/channel-opener.ts'
import {
  historyPlace,
  isBox,
  isEpoch,
  MAX_EVENT_BOX,
  parseChannelInfo,
  type AskedPage,
  type ChannelInfo,
} from '../../seal/format.ts'

/** The connection that sealed things come on. */
interface Place {
  readonly node: string
  readonly run: string
  /** What this page has signed in with; undefined while nobody has. */
  readonly nonce: string | undefined
}

/** A channel as the person in front of the page sees it. */
export interface ChannelView {
  readonly channel: string
  readonly is: 'closed' | 'opening' | 'open' | 'wrong' | 'changed'
}

/** The run of a node that has sealed something. */
export type FarPlace = Pick<Place, 'node' | 'run'>

/** Takes what a sealed event says, as values of `event`. */
type Tell = (values: readonly unknown[]) => void

interface Box {
  readonly epoch: string
  readonly box: string
  readonly sequence: number
  readonly tell: Tell
}

/** The channels of the sensors that the page may read. */
export const channels = signal<readonly ChannelView[]>([])

let place: Place | undefined
/** By sensor, what its node says of its channel. */
let infos: ReadonlyMap<string, ChannelInfo> = new Map()
/** By channel; nothing of them outlives the page. */
const openers = new Map<string, ChannelOpener>()
/** The newest box of each sensor. */
const boxes = new Map<string, Box>()
/** How far each sensor of a run has been opened: what comes again is no news. */
const opened = new Map<string, number>()
/** The last call that was sealed. */
let calls: Promise<unknown> = Promise.resolve()
/** The number of the last call: another connection, even one that shows an old nonce, does not begin anew. */
let lastNumber = firstNumber()

const SEALED = 'sealed: type its passphrase'
const ALTERED = 'sealed: it was altered on its way'

/** A connection begins, or somebody has signed in on it. */
export function beginSealed({ node, run, nonce }: Place): void {
  if (run !== place?.run) opened.clear()
  place = { node, run, nonce }
  calls = Promise.resolve()
  if (nonce === undefined) boxes.clear()
}

/** Hear which sensors are sealed. */
export function learnChannels(
  sensors: readonly { readonly name: string; readonly sealed?: unknown }[],
): void {
  infos = new Map(
    sensors.flatMap(({ name, sealed }) => {
      const info = sealed === undefined ? undefined : parseChannelInfo(sealed)
      return info === undefined ? [] : [[name, info] as const]
    }),
  )
  const names = new Set(Array.from(infos.values(), ({ channel }) => channel))
  channels.value = Array.from(names, channel => viewOf(channel))
}

export function isSealed(sensor: string): boolean {
  return infos.has(sensor)
}

/** Whether what the node says of a sensor can be read on this page. */
export function isReadable(sensor: string): boolean {
  const { channel } = infos.get(sensor) ?? {}
  return channel === undefined || isOpen(channel)
}

/** Take a passphrase that somebody has typed. Whether it is the right one is known at once. */
export async function unlock(channel: string, passphrase: string): Promise<void> {
  const info = Array.from(infos.values()).find(one => one.channel === channel)
  if (info === undefined) return
  show(channel, 'opening')
  const opener = await ChannelOpener.of(info, passphrase)
  if (opener.info.epoch !== epochOf(channel)) return show(channel, 'wrong')
  openers.set(channel, opener)
  show(channel, 'open')
  for (const [sensor, box] of boxes) await open(sensor, box)
}

/** Take a sealed event: what it says, or why that is not known. */
export async function hearSealed(
  sensor: string,
  [epoch, box, sequence]: readonly unknown[],
  tell: Tell,
): Promise<void> {
  if (!isEpoch(epoch) || !isBox(box, MAX_EVENT_BOX) || !Number.isSafeInteger(sequence)) return
  const news: Box = { epoch, box, sequence: sequence as number, tell }
  boxes.set(sensor, news)
  await open(sensor, news)
}

/**
 * Open an event that another node has sealed, where the passphrase of its channel was typed here.
 * @param sealed what that node says of the channel of the sensor
 * @returns its values, or why they are not known
 */
export async function openFar(
  { node, run }: FarPlace,
  { name, sealed }: { readonly name: string; readonly sealed?: unknown },
  [epoch, box, sequence]: readonly unknown[],
): Promise<readonly unknown[]> {
  const info = parseChannelInfo(sealed)
  const opener = info === undefined ? undefined : openers.get(info.channel)
  const isKnown = opener?.info.epoch === epoch && opener?.info.domain === info?.domain
  if (opener === undefined || !isKnown || !isBox(box, MAX_EVENT_BOX)) return ['unavailable', SEALED]
  const at = { kind: 'event', node, run, about: name } as const
  return (await opener.open(at, Number(sequence), box)) ?? ['unavailable', ALTERED]
}

async function open(sensor: string, { epoch, box, sequence, tell }: Box): Promise<void> {
  const { channel } = infos.get(sensor) ?? {}
  const opener = channel === undefined ? undefined : openers.get(channel)
  if (channel === undefined || place === undefined || opener?.info.epoch !== epoch) {
    if (channel !== undefined && opener !== undefined) show(channel, 'changed')
    return tell(['unavailable', SEALED])
  }
  const { node, run } = place
  const values = await opener.open({ kind: 'event', node, run, about: sensor }, sequence, box)
  // Meanwhile a newer one may have been opened.
  if (boxes.get(sensor)?.box !== box || sequence < (opened.get(sensor) ?? 0)) return
  if (values === undefined) return tell(['unavailable', ALTERED])
  opened.set(sensor, sequence)
  tell(values)
}

/**
 * Make a call: sealed where a channel is open, so that who carries it neither reads nor alters it.
 * @param emit says something to the node, and gives its answer
 */
export async function sealCall(
  values: readonly unknown[],
  emit: (event: string, ...values: unknown[]) => Promise<unknown>,
): Promise<unknown> {
  const opener = Array.from(openers.values()).find(({ info }) => isOpen(info.channel))
  const { node = '', run = '', nonce } = place ?? {}
  if (opener === undefined || nonce === undefined) return emit('call', ...values)
  const about = { node, run, about: nonce }
  const { channel } = opener.info
  // One after the other: the node takes none below one that it has taken.
  const made = calls.then(async () => {
    // Whatever becomes of the call: two boxes with one number give away what is in them, and more.
    lastNumber += 1
    const number = lastNumber
    const box = await opener.seal({ kind: 'command', ...about }, number, values)
    const answer = (await emit('sealed', channel, number, box)) as { readonly box?: unknown }
    return opener.open({ kind: 'answer', ...about }, number, String(answer.box))
  })
  calls = made.catch(() => undefined)
  const [outcome] = (await made) ?? []
  if (outcome === undefined) throw new Error('the answer was altered on its way')
  const { value, error } = outcome as { value?: unknown; error?: { message: string } }
  if (error !== undefined) throw new Error(error.message)
  return value
}

/**
 * Where the numbers of calls begin, at random: who carries them may show two pages, or one that is
 * loaded anew, the same nonce, and their keys are the same then.
 */
function firstNumber(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint16Array(2))
  return (high * 0x1_00_00 + low) * 0x1_00_00
}

/** What a node has answered, opened where it is a sealed page of a history. @throws Error why not */
export async function openAnswer(
  values: readonly unknown[],
  answer: unknown,
  at: FarPlace | undefined = place,
): Promise<unknown> {
  const { sealed } = (answer ?? {}) as { readonly sealed?: unknown }
  const info = parseChannelInfo(sealed)
  if (info === undefined || at === undefined) return answer
  const { box, salt } = sealed as { readonly box: unknown; readonly salt: unknown }
  const opener = openers.get(info.channel)
  if (opener?.info.epoch !== info.epoch) throw new Error(SEALED)
  const { node, run } = at
  const about = historyPlace(values[0] as AskedPage, String(salt))
  const page = await opener.open({ kind: 'history', node, run, about }, 1, String(box))
  if (page === undefined) throw new Error(ALTERED)
  const [rows, next] = page
  return { ...(answer as object), rows, next }
}

/** The passphrase that is in use now: the newest event knows best. */
function epochOf(channel: string): string | undefined {
  for (const [sensor, info] of infos) {
    if (info.channel === channel) return boxes.get(sensor)?.epoch ?? info.epoch
  }
  return undefined
}

function isOpen(channel: string): boolean {
  return channels.value.some(one => one.channel === channel && one.is === 'open')
}

function viewOf(channel: string): ChannelView {
  const known = channels.value.find(one => one.channel === channel)
  return known ?? { channel, is: openers.has(channel) ? 'open' : 'closed' }
}

function show(channel: string, is: ChannelView['is']): void {
  channels.value = channels.value.map(one => (one.channel === channel ? { channel, is } : one))
}
