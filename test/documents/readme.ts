import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../support/cli.ts'
import { until } from '../support/cluster.ts'
import { READY, type Scene, type Step } from '../support/typed-scene.ts'
import { SIGNED_ELSEWHERE } from '../support/signed-elsewhere.ts'

/** The lines of the README, in the order in which a person types them. */

const NODE_1 = '127.0.0.1:7443'

/** Commands to a cluster go to the first node where nothing is said. */
async function toNode1({ env, here }: Scene): Promise<void> {
  env['FRIDGE_NODE'] = here.get(NODE_1) ?? ''
}

/** Sections 1 and 2, as far as a client needs them. */
async function letIn(scene: Scene): Promise<void> {
  await toNode1(scene)
  const { folder: cwd, env } = scene
  await runCommand(['whitelist', 'add', 'fridge-client-001'], { cwd, env })
}

/** What was called last has come to the disk: within a second, and readings before it. */
async function untilRecorded({ folder: cwd, env }: Scene): Promise<void> {
  const show = ['history', 'show', 'temperature', '--commands']
  await until(async () => (await runCommand(show, { cwd, env })).out !== '')
}

/** Sections 1 to 3, and what a cluster of that kind is asked for behind them. */
export const FIRST_STEPS: readonly Step[] = [
  { line: './cli/fridge certs init' },
  { line: './cli/fridge certs issue node node-1' },
  { line: './cli/fridge certs issue node node-2' },
  {
    line: './cli/fridge node start --name node-1',
    says: READY,
    stays: true,
    at: NODE_1,
    heard: ({ here }, said) => {
      const [, address = ''] = /"metrics":"([\d.:]+)"/.exec(said) ?? []
      here.set('127.0.0.1:9464', address)
    },
  },
  {
    line: './cli/fridge node start --name node-2 --listen 127.0.0.1:7444 --peer 127.0.0.1:7443',
    says: READY,
    stays: true,
    at: '127.0.0.1:7444',
    before: toNode1,
  },
  { line: './cli/fridge certs issue node node-3 --host node-3.shop.example --host 10.0.0.7' },
  { line: './cli/fridge whitelist add fridge-client-001' },
  {
    line: "./cli/fridge whitelist add fridge-client-001 --sensor temperature --command defrost --expires-in 8h --reason 'night shift'",
  },
  { line: './cli/fridge whitelist list' },
  { line: './cli/fridge whitelist show fridge-client-001' },
  { line: './cli/fridge whitelist log fridge-client-001' },
  {
    line: "./cli/fridge whitelist remove fridge-client-001 --reason 'lost laptop' --node 127.0.0.1:7444",
  },
  { line: './cli/fridge status', again: true },
  { line: './cli/fridge certs issue client fridge-client-001' },
  { line: './cli/fridge whitelist add fridge-client-001' },
  {
    line: './cli/fridge client watch --door-timeout 30s --max-temperature 8',
    says: /temperature/,
  },
  { line: './cli/fridge client call setTargetTemperature 6 --node 127.0.0.1:7444' },
  {
    line: 'node client.mjs',
    says: /^target temperature set to 6 °C$/,
    status: null,
    before: async ({ folder, here }) => {
      const file = join(folder, 'client.mjs')
      const [, port = ''] = here.get(NODE_1)?.split(':') ?? []
      await writeFile(file, (await readFile(file, 'utf8')).replace('7443', port))
    },
  },
  {
    line: './cli/fridge browser invite phone-of-maria --view fleet',
    says: /^https:/,
    status: 1,
  },
  { line: './cli/fridge whitelist add phone-of-maria --key 5f0c…' },
  {
    line: './cli/fridge seal passphrase pharmacy # six words, in seal/pharmacy.txt; they are never printed',
  },
  { line: './cli/fridge origin add https://shop.example --public --sensor temperature' },
  { line: "./cli/fridge origin remove https://shop.example --reason 'sold'" },
  { line: './cli/fridge history show temperature --from 30d', before: untilRecorded },
  {
    line: './cli/fridge history report temperature --from 30d --preset vaccine-refrigerator --out march.html',
  },
  {
    // Nothing was recorded in that month.
    line: './cli/fridge history export temperature --from 2026-03-01 --to 2026-04-01 > march.csv',
  },
  { line: './cli/fridge history show temperature --commands --from 90d' },
  { line: './cli/fridge history verify --data data/node-1' },
  { line: 'curl http://127.0.0.1:9464/readyz' },
  { line: 'curl http://127.0.0.1:9464/metrics' },
  {
    line: './cli/fridge node start --name node-2 --listen 127.0.0.1:7444 --peer 127.0.0.1:7443 --metrics 127.0.0.1:9465',
    says: READY,
    ends: './cli/fridge node start --name node-2 --listen 127.0.0.1:7444 --peer 127.0.0.1:7443',
    before: async ({ here }) => void here.set('127.0.0.1:9465', '127.0.0.1:0'),
  },
]

const ZIGBEE = './cli/fridge client watch'

/** A broker, and what devices say to it. */
export const BROKER: readonly Step[] = [
  {
    line: './cli/fridge node start --config zigbee.yaml',
    says: READY,
    stays: true,
    at: NODE_1,
  },
  { line: ZIGBEE, says: /connected to node-1/, stays: true, before: letIn },
  {
    line: `mosquitto_pub -h 127.0.0.1 -t zigbee2mqtt/fridge-door -m '{"contact":false,"battery":97,"linkquality":120}'`,
    tells: { line: ZIGBEE, says: /door.*open/ },
  },
  {
    line: String.raw`mosquitto_pub -h 127.0.0.1 -t zigbee2mqtt/fridge-air -r -m "{\"temperature\":5.31,\"last_seen\":\"$(date -Is)\"}"`,
    tells: { line: ZIGBEE, says: /temperature.*5\.31 °C/ },
  },
  {
    line: `mosquitto_pub -h 127.0.0.1 -t zigbee2mqtt/fridge-air/availability -r -m '{"state":"offline"}'`,
    tells: { line: ZIGBEE, says: /temperature.*unavailable/ },
  },
]

/** "Without copying keys": on the machine of the authority, and on two devices. */
export const KEYS_MADE_THERE: readonly Step[] = [
  ...SIGNED_ELSEWHERE,
  {
    line: 'fridge certs token client till-7 --expires-in 1h --node node-1.shop.example:7443 > token',
  },
  { line: 'fridge whitelist add till-7' },
  {
    line: 'fridge certs enroll --node node-1.shop.example:7445 --token-file token',
    below: 'other-device',
    before: async ({ folder }) =>
      copyFile(join(folder, 'token'), join(folder, 'other-device/token')),
  },
  {
    line: 'fridge certs renew client till-7 --node node-1.shop.example:7445',
    below: 'other-device',
  },
]

/** "Certificates from openssl alone". */
export const FROM_OPENSSL: readonly Step[] = [
  { line: 'certs/openssl certs/our-ca' },
  { line: 'export FRIDGE_CERTS=certs/our-ca' },
  { line: './cli/fridge node start --name node-1 --data data/our-ca', says: READY },
]
