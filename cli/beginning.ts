/** The rest of a sentence that begins with the name of a node whose list begins at a checkpoint. */
export function describeWaiting(lackingWitnesses: number): string {
  const nodes = lackingWitnesses === 1 ? 'one more node' : `${lackingWitnesses} more nodes`
  return `lets no client in: its list begins at a checkpoint, and ${nodes} must show that it stands`
}

/** What a person can do about it. */
export const SHOW_ANOTHER =
  'start a node that is off, or start this one with another as --peer: fridge node start --name NAME --peer HOST:PORT'

/** The rest of a sentence that begins with the name of a node of whose log a part is missing. */
export function describeMissing(archives: readonly string[]): string {
  const are = archives.length === 1 ? 'is' : 'are'
  return `lacks a part of its log: ${archives.join(', ')} ${are} not beside its database`
}

/** What a person can do about it. */
export const PUT_BACK =
  'put it back beside whitelist.db there, restart the node, and see that nothing else is wrong: fridge node verify'
