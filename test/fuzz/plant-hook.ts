import { registerHooks } from 'node:module'
import { CLUSTER_PLANTS } from '../simulation/cluster/plants.ts'
import { NEWCOMER_PLANTS } from '../simulation/newcomers/plants.ts'
import { PLANTS as SCHEDULE_PLANTS } from '../simulation/plants.ts'
import { PLANTS } from './plants.ts'

/** Loaded before all else, puts the bug that PLANT names into its file as it is read. */

/** The exit status of a process in which nothing could be planted. */
const NOT_PLANTED = 3

const plant = [...PLANTS, ...SCHEDULE_PLANTS, ...CLUSTER_PLANTS, ...NEWCOMER_PLANTS].find(
  ({ name }) => name === process.env['PLANT'],
)
if (plant === undefined) throw new Error(`no bug is called ${process.env['PLANT']}`)
const url = new URL(`../../node/${plant.file}`, import.meta.url).href
let isPlanted = false

registerHooks({
  load: (loaded, context, next) => {
    const result = next(loaded, context)
    if (loaded !== url) return result
    const parts = Buffer.from(result.source as Uint8Array)
      .toString()
      .split(plant.find)
    if (parts.length !== 2) {
      console.error(`${plant.file} has ${parts.length - 1} times, not once: ${plant.find}`)
      process.exit(NOT_PLANTED)
    }
    isPlanted = true
    return { ...result, source: parts.join(plant.put) }
  },
})

process.on('exit', () => {
  if (!isPlanted) process.exitCode = NOT_PLANTED
})
