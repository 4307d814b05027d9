/** The oldest Node.js that has all that is used here, as `engines` in package.json says. */
const OLDEST: readonly [major: number, minor: number] = [24, 12]

/** What is wrong with a version of Node.js, in lines for a person; undefined where it will do. */
export function objectionToNode(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined
  const needed = OLDEST.join('.')
  return `fridge: this is Node.js ${version}, and it needs ${needed} or later
  to mend it: npx --package node@${oldestMajor} -- fridge …, or install Node.js ${oldestMajor}`
}
