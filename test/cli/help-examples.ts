import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../support/cli.ts'
import { READY, type Scene, type Step } from '../support/typed-scene.ts'
import { SIGNED_ELSEWHERE } from '../support/signed-elsewhere.ts'

/** The command lines of all help texts, in an order in which one leads to the next. */

/** Keys and certificates, on the machine of the authority and on that of a device. */
export const CERTIFICATES: readonly Step[] = [
  { line: 'fridge certs init' },
  { line: 'fridge certs init --trust-domain shop.example --operator maria', below: 'shop' },
  { line: 'fridge certs init --encrypt', below: 'locked' },
  { line: 'fridge certs issue node node-1 --host node-1.example.org' },
  { line: 'fridge certs issue node alpha --host alpha.shop.example --host 10.0.0.5' },
  { line: 'fridge certs issue client fridge-client-001 --days 30' },
  { line: 'fridge certs inspect certs/nodes/alpha/certificate.pem' },
  ...SIGNED_ELSEWHERE,
  { line: 'fridge certs renew node alpha' },
  { line: 'fridge certs renew certs/clients/fridge-client-001/certificate.pem --days 30' },
  { line: 'fridge certs rotate-ca begin' },
  { line: 'fridge certs renew --all' },
  { line: 'fridge certs issuing-key node-1' },
  { line: 'fridge certs rotate-ca finish' },
]

/** Nodes of one machine: each stays up until it has been restored from its backup. */
export const NODES: readonly Step[] = [
  {
    line: 'fridge node start --name node-1',
    says: READY,
    stays: true,
    at: '127.0.0.1:7443',
  },
  {
    line: 'fridge node start --name node-2 --listen 127.0.0.1:7444 --peer 127.0.0.1:7443',
    says: READY,
    stays: true,
    at: 'node-2.example.org:7443',
  },
  { line: 'fridge node backup copy.db --data data/node-1' },
  { line: 'fridge node backup "whitelist-$(date +%F).db" --config node.yaml' },
  { line: 'fridge node verify copy.db --certs /etc/fridge/certs --json' },
  { line: 'fridge doctor --config node.yaml' },
  { line: 'fridge node install-service --name node-1 --dry-run' },
  {
    line: 'cp copy.db data/node-1/whitelist.db',
    ends: 'fridge node start --name node-1',
  },
  { line: 'rm -f data/node-1/whitelist.db-wal data/node-1/whitelist.db-shm' },
  { line: 'fridge node verify --data data/node-1' },
  { line: 'fridge node start --name node-1 --peer node-2.example.org:7443', says: READY },
  { line: 'fridge node start --config node.yaml', says: READY },
  {
    line: 'fridge node start --name node-1 --listen 0.0.0.0:7443 --advertise node-1.example.org:7443',
    says: READY,
  },
]

/** What operators and clients do with a cluster that runs. */
export const CLUSTER: readonly Step[] = [
  { line: 'fridge whitelist add fridge-client-001 --node node-1.example.org:7443' },
  { line: 'fridge whitelist add fridge-client-001' },
  { line: 'fridge whitelist add till-1 till-2 till-3 --sensor temperature' },
  { line: "fridge whitelist add laptop-7 --expires-in 8h --reason 'stocktaking'" },
  { line: 'fridge whitelist list --expiring 7d' },
  { line: 'fridge whitelist show laptop-7' },
  { line: 'fridge whitelist export --format csv --out clients.csv' },
  { line: 'fridge whitelist apply clients.csv --dry-run' },
  { line: "fridge whitelist apply clients.csv --prune --reason 'inventory of March'" },
  { line: "fridge whitelist remove laptop-7 --reason 'lost on the train'" },
  { line: 'fridge whitelist log --limit 20' },
  { line: 'fridge whitelist log laptop-7 --since 30d' },
  {
    line: 'fridge whitelist log --follow --node n1.example:7443 --node n2.example:7443',
    says: /laptop-7/,
  },
  { line: 'fridge whitelist checkpoint' },
  { line: 'fridge whitelist checkpoint --archive' },
  { line: 'fridge whitelist show laptop-7 --proof --json > proof.json', status: 1 },
  { line: 'fridge whitelist verify proof.json' },
  { line: 'fridge origin add https://shop.example' },
  {
    line: "fridge origin add https://shop.example --sensor temperature --public --reason 'the shop window'",
  },
  { line: 'fridge origin add https://shop.example:8443 --expires-in 8h' },
  { line: "fridge origin remove https://shop.example --reason 'sold'" },
  { line: 'fridge origin log https://shop.example --limit 20' },
  { line: 'fridge browser invite phone-anna --view fleet', says: /^https:/, status: 1 },
  {
    line: 'fridge browser invite phone-anna --sensor temperature --expires-in 30d --node n1.example:7443',
    says: /^https:/,
    status: 1,
  },
  { line: 'fridge console', says: /http/ },
  { line: 'fridge console --node n1.example:7443 --node n2.example:7443', says: /http/ },
  {
    line: 'fridge client watch --as fridge-client-001 --node node-1.example.org:7443',
    says: /temperature/,
  },
  {
    line: 'fridge client watch --door-timeout 30s --max-temperature 8 --min-temperature 2 --for 15m',
    says: /temperature/,
  },
  { line: 'fridge client watch --all --node node-1:7443 --node node-2:7443', says: /node-2/ },
  { line: 'fridge seal passphrase kitchen' },
  { line: 'fridge seal passphrase kitchen --force' },
  { line: 'fridge client watch --passphrase-file seal/kitchen.txt', says: /temperature/ },
  {
    line: 'fridge client watch --passphrase-file kitchen.txt',
    says: /temperature/,
    before: async ({ folder }) =>
      copyFile(join(folder, 'seal/kitchen.txt'), join(folder, 'kitchen.txt')),
  },
  { line: 'fridge client call setTargetTemperature 5' },
  { line: 'fridge alarms list --node node-1:7443 --node node-2:7443' },
  {
    line: "fridge alarms acknowledge 3f9a2c --comment 'vaccines moved to fridge 2'",
    before: async ({ here }) => void here.set('3f9a2c', here.get('alarm 1') ?? ''),
  },
  {
    line: "fridge alarms acknowledge 3f9a2c --comment 'door mended' --as operator/maria",
    before: async ({ here }) => void here.set('3f9a2c', here.get('alarm 2') ?? ''),
  },
  // Alarms stand.
  { line: 'fridge status --node node-1.example.org:7443', status: 1 },
  { line: 'fridge status --watch', says: /node-1/, status: 1 },
  { line: 'fridge doctor', status: 1 },
  { line: 'fridge doctor --node node-1.example.org:7443 --as maria', status: 1 },
]

/** What an operator does about `node-3`, each time that it is lost. */
export const FORGETTING: readonly Step[] = [
  { line: 'fridge node forget node-3' },
  { line: 'fridge node forget node-3 --node node-1.example.org:7443 --as maria' },
]

async function newToken({ folder: cwd, env }: Scene): Promise<string> {
  await mkdir(join(cwd, 'device'), { recursive: true })
  return (await runCommand(['certs', 'token', 'client', 'till-7'], { cwd, env })).out
}

/** What a device does that has no certificate yet, and an operator for it. */
export const ENROLMENT: readonly Step[] = [
  { line: 'fridge certs token client till-7 --expires-in 1h' },
  {
    line: 'fridge certs enroll --node node-1.shop.example:7445 --token-file token',
    below: 'device',
    before: async scene => writeFile(join(scene.folder, 'device/token'), await newToken(scene)),
  },
  {
    line: 'fridge certs enroll --node node-1.shop.example:7445 --token -',
    below: 'other-device',
    before: async scene => void (scene.input = await newToken(scene)),
  },
  {
    line: 'fridge certs renew client till-7 --node node-1.shop.example:7445',
    below: 'device',
  },
]

/** What is read from the past of a fridge. */
export const HISTORY: readonly Step[] = [
  { line: 'fridge history show temperature --from 30d' },
  { line: 'fridge history show temperature --from 7d --preset vaccine-refrigerator' },
  // Nothing was recorded on that day, and in that month.
  { line: 'fridge history show door --events --from 2026-03-01 --to 2026-03-02' },
  // Nobody has called a command yet.
  { line: 'fridge history show temperature --commands --from 90d --data data/node-1' },
  { line: 'fridge history export temperature --from 2026-03-01 --to 2026-04-01 > march.csv' },
  { line: 'fridge history plot temperature --from 7d --out week.svg' },
  {
    line: 'fridge history report temperature --from 30d --preset vaccine-refrigerator --out march.html',
  },
  {
    line: 'fridge history report temperature --high 8 --high-for 60m --low 2 --low-for 15m > week.html',
  },
  { line: 'fridge history verify --data data/node-1' },
]

/** What needs no cluster. */
export const ALONE: readonly Step[] = [
  { line: 'fridge context add warehouse --node n1.example:7443 --node n2.example:7443' },
  { line: 'fridge context use warehouse' },
  { line: 'fridge context remove warehouse' },
  { line: 'source <(fridge completion bash)' },
  { line: 'fridge completion fish > ~/.config/fish/completions/fridge.fish' },
  { line: 'fridge man | man -l -' },
]
