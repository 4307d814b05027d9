import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { READY, type Scene, type Step } from '../support/typed-scene.ts'
import { blocksOf } from './blocks.ts'

/** The lines of docs/tutorial.md, each on its machine, and the files that a person carries. */

const TUTORIAL = 'docs/tutorial.md'

const NODE_3 = 'fridge node start --name node-3 --listen 10.0.0.3:7443 --peer 10.0.0.2:7443'
const WATCH = 'fridge client watch --node 10.0.0.3:7443 --node 10.0.0.2:7443'

/** Carry a file from one machine to another. */
function carry(from: string, to: string): (scene: Scene) => Promise<void> {
  return async ({ folder }) => copyFile(join(folder, from), join(folder, to))
}

/** Save the configuration of the first node as the page says. */
async function configure({ folder, here }: Scene): Promise<void> {
  const [block] = await blocksOf(TUTORIAL, 'yaml')
  let text = block?.text ?? ''
  for (const [written, one] of here) text = text.replaceAll(written, one)
  await writeFile(join(folder, 'machine-1/node-1.yaml'), text)
}

const M1 = { below: 'machine-1' }
const M2 = { below: 'machine-2' }
const M3 = { below: 'machine-3' }
const TILL = { below: 'till' }

export const MACHINES: readonly Step[] = [
  { line: 'fridge certs init', ...M1 },
  { line: 'fridge certs issue node node-1 --host 10.0.0.1', ...M1 },
  { line: 'fridge certs issuing-key node-1', ...M1 },
  {
    line: 'fridge node start --config node-1.yaml',
    ...M1,
    says: READY,
    stays: true,
    before: configure,
  },
  { line: 'fridge certs request node node-2 --host 10.0.0.2', ...M2 },
  {
    line: 'fridge certs sign request.pem',
    ...M1,
    before: carry('machine-2/certs/nodes/node-2/request.pem', 'machine-1/request.pem'),
  },
  {
    line: 'fridge certs accept node-2.signed.pem',
    ...M2,
    before: carry('machine-1/node-2.signed.pem', 'machine-2/node-2.signed.pem'),
  },
  {
    line: 'fridge node start --name node-2 --listen 10.0.0.2:7443 --peer 10.0.0.1:7443',
    ...M2,
    says: READY,
    stays: true,
  },
  { line: 'fridge certs request node node-3 --host 10.0.0.3', ...M3 },
  {
    line: 'fridge certs sign request.pem',
    ...M1,
    before: carry('machine-3/certs/nodes/node-3/request.pem', 'machine-1/request.pem'),
  },
  {
    line: 'fridge certs accept node-3.signed.pem',
    ...M3,
    before: carry('machine-1/node-3.signed.pem', 'machine-3/node-3.signed.pem'),
  },
  { line: NODE_3, ...M3, says: READY, stays: true },
  { line: 'fridge context add shop --node 10.0.0.1:7443', ...M1 },
  { line: 'fridge context use shop', ...M1 },
  { line: 'fridge status', ...M1, again: true },
  { line: 'fridge whitelist add till-7 --node 10.0.0.2:7443', ...M1 },
  { line: 'fridge certs token client till-7 --expires-in 1h > token', ...M1 },
  {
    line: 'fridge certs enroll --node 10.0.0.1:7445 --token-file token',
    ...TILL,
    before: async scene => {
      await mkdir(join(scene.folder, 'till'), { recursive: true })
      await carry('machine-1/token', 'till/token')(scene)
    },
  },
  { line: WATCH, ...TILL, says: /node-3 .*temperature/, stays: true, endsWith: 4 },
  {
    line: "fridge whitelist remove till-7 --reason 'till was stolen'",
    ...M1,
    tells: { line: WATCH, says: /^fridge: client\/till-7 has been removed from the whitelist/ },
  },
  { line: 'fridge whitelist log till-7', ...M1, ends: WATCH },
  { line: 'fridge whitelist show till-7', ...M1, status: 1 },
  { line: 'fridge whitelist add till-8', ...M1, ends: NODE_3 },
  { line: NODE_3, ...M3, says: READY, stays: true },
  { line: 'fridge whitelist log --limit 1 --node 10.0.0.3:7443', ...M1 },
  { line: 'fridge status', ...M1, again: true },
]
