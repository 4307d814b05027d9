import process from 'node:process'

/**
 * Ends 0 when the node of this container serves clients, 1 when it does not or says nothing within
 * four seconds: a process that hangs still accepts connections, but answers none. With the argument
 * `healthz` it ends 0 when the process answers at all.
 */
const [path = 'readyz'] = process.argv.slice(2)
const answer = await fetch(`http://127.0.0.1:9464/${path}`, {
  signal: AbortSignal.timeout(4_000),
}).catch(() => undefined)
process.exit(answer?.ok === true ? 0 : 1)
