import { fileURLToPath } from 'node:url'

/** The program as a person starts it from a checkout. */
export const LAUNCHER = fileURLToPath(new URL('../../cli/fridge', import.meta.url))
