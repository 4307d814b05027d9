import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { formatTable } from '../../cli/table.ts'
import { milliseconds } from './figures.ts'
import { ProcessCluster, type Removal } from './process-cluster.ts'
import { median } from './result.ts'
import { ROOT } from './site.ts'

/**
 * Removals in clusters of several versions, all at once on this machine and by turns, each removal
 * accepted by another node: `npm run bench:removal -- FOLDER…`, the folders of other checkouts with
 * their packages. This version is the last one. SIZES=20,5 and ROUNDS=10 set the rest.
 */
const sizes = (process.env['SIZES'] ?? '20,5').split(',').map(Number)
const rounds = Number(process.env['ROUNDS'] ?? 10)
const progress = (text: string): void => console.error(text)

function describe(root: string, removals: readonly Removal[]): string[] {
  const all = (figure: (one: Removal) => number): string =>
    milliseconds(median(removals.map(figure)))
  return [
    root === ROOT ? 'this version' : root,
    all(one => one.firstCutMs),
    all(one => one.lastCutMs),
    milliseconds(Math.min(...removals.map(one => one.lastCutMs))),
    all(one => one.lastCutMs - one.firstCutMs),
    all(one => one.confirmedMs),
    all(one => one.cost.processorMs),
    all(one => one.watchingMs),
  ]
}

for (const root of process.argv.slice(2)) {
  if (existsSync(join(root, 'node_modules'))) continue
  console.error(`bench: ${root} is no checkout with its packages; in one: npm ci`)
  process.exit(2)
}
for (const size of sizes) {
  await using stack = new AsyncDisposableStack()
  const versions: { root: string; cluster: ProcessCluster; removals: Removal[] }[] = []
  for (const root of [...process.argv.slice(2), ROOT]) {
    const cluster = stack.use(await ProcessCluster.start(size, { progress }, root))
    versions.push({ root, cluster, removals: [] })
  }
  for (let round = 0; round < rounds; round += 1) {
    progress(`round ${round + 1} of ${rounds}`)
    for (const { cluster, removals } of versions) removals.push(await cluster.removeOnce(round))
  }
  console.log(`\n${size} nodes, ${rounds} removals by turns, medians but for the least`)
  const head = [
    'version',
    'first cut',
    'last cut',
    'least',
    'first to last',
    'confirmed',
    'processor time a node',
    'of operator and clients until the last cut',
  ]
  const rows = versions.map(({ root, removals }) => describe(root, removals))
  for (const line of formatTable([head, ...rows])) console.log(`  ${line}`)
}
