/** What of a page's packets is to be acted on. */
export interface ModelledPackets {
  readonly packets: readonly unknown[]
  readonly refused: boolean
}

export interface PacketRules {
  readonly maxLineBytes: number
  readonly maxDepth: number
  readonly maxArguments: number
  readonly events: readonly string[]
}

/** The packets of a page, one a line, up to the first that must be refused (PROTOCOL.md, "Pages"). */
export function modelPackets(text: string, rules: PacketRules): ModelledPackets {
  const packets: unknown[] = []
  for (const line of text.split('\n')) {
    const packet = modelPacket(line, rules)
    if (packet === undefined) return { packets, refused: true }
    packets.push(packet)
  }
  return { packets, refused: false }
}

function modelPacket(line: string, rules: PacketRules): unknown {
  if (new TextEncoder().encode(line).length > rules.maxLineBytes) return undefined
  const [type, ...rest] = line
  const body = rest.join('')
  if (type === '1') return body === '' ? { kind: 'disconnect' } : undefined
  if (type === '0') {
    const isJoin = body === '' || (body.startsWith('{') && readJson(body, rules) !== undefined)
    return isJoin ? { kind: 'connect' } : undefined
  }
  if (type !== '2') return undefined
  const start = body.search(/[^0-9]/)
  if (start === -1 || start > 15 || body[start] !== '[') return undefined
  const value = readJson(body.slice(start), rules)
  if (!Array.isArray(value)) return undefined
  const event: unknown = value[0]
  const values: unknown[] = value.slice(1)
  if (typeof event !== 'string' || !rules.events.includes(event)) return undefined
  if (values.length > rules.maxArguments) return undefined
  return {
    kind: 'event',
    event,
    values,
    id: start === 0 ? undefined : Number(body.slice(0, start)),
  }
}

function readJson(text: string, { maxDepth }: PacketRules): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return depthOf(value) > maxDepth ? undefined : value
  } catch {
    return undefined
  }
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Object.values(value).reduce((most: number, one) => Math.max(most, depthOf(one)), 0)
}
