import { writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

/** Loaded before all else, writes the address of each module that a process loads to the file LOADED. */

const loaded: string[] = []

registerHooks({
  load: (url, context, next) => {
    loaded.push(url)
    return next(url, context)
  },
})

process.on('exit', () => writeFileSync(process.env['LOADED'] ?? '', loaded.join('\n')))
