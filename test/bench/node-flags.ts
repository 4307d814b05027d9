/** What Node.js is told where the command is delivered; the servers to compare with run on the same. */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8']
