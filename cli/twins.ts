import type { Twin } from '../node/gossip/member.ts'

/** What a person can do about two nodes of one name. */
export const RENAME_ONE =
  'stop one of the two, and start it again under a name of its own: fridge certs issue node NAME'

/** Says which machines to look at. */
export function describeTwin({ name, kept, refused }: Twin): string {
  const where = `linked is the one at ${kept}, turned away the one at ${refused}`
  return `${name} runs twice: ${where}`
}

/** For a node that is turned away itself. */
export function describeNameInUse(node: string, text: string): string {
  return `another machine runs under the name of ${node}: ${text}`
}
