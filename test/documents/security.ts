import { runCommand } from '../support/cli.ts'
import { until } from '../support/cluster.ts'
import { READY, type Scene, type Step } from '../support/typed-scene.ts'

/** Whom the page means, from a line on. */
function mean(names: Readonly<Record<string, string>>): (scene: Scene) => Promise<void> {
  return async ({ here }) => {
    here.clear()
    for (const [written, name] of Object.entries(names)) here.set(written, name)
  }
}

/** The nodes show what was renewed: they take it up by themselves, some moments later. */
async function untilTakenUp({ folder, env }: Scene): Promise<void> {
  await until(
    async () => (await runCommand(['whitelist', 'list'], { cwd: folder, env })).status === 0,
  )
}

/** The lines of SECURITY.md, "After a theft", theft by theft. */
export const AFTER_A_THEFT: readonly Step[] = [
  { line: "fridge whitelist remove NAME --reason 'lost laptop'", before: mean({ NAME: 'till-7' }) },
  { line: 'fridge certs issue client NAME --force' },
  {
    line: 'fridge certs inspect certs/clients/NAME/certificate.pem',
    heard: ({ here }, said) => {
      const [, key = ''] = /^ *Key id +([0-9a-f]{64})$/m.exec(said) ?? []
      here.set('KEY-ID', key)
    },
  },
  { line: 'fridge whitelist add NAME --key KEY-ID' },
  {
    line: "fridge whitelist remove NAME --reason 'lost telephone'",
    before: mean({ NAME: 'phone' }),
  },
  { line: 'fridge whitelist log NAME' },
  { line: "fridge origin remove https://shop.example --reason 'taken over'" },
  { line: 'fridge history show SENSOR --commands', before: mean({ SENSOR: 'door' }) },
  {
    line: "fridge whitelist remove node/NAME --reason 'stolen node'",
    before: mean({
      'NEW-NAME': 'node-4',
      NAME: 'node-3',
      'HOST:PORT': '127.0.0.1:0',
      HOST: '127.0.0.1',
    }),
  },
  { line: 'fridge certs issue node NEW-NAME --host HOST' },
  {
    line: 'fridge node start --name NEW-NAME --listen HOST:PORT --peer OTHER-NODE:PORT',
    says: READY,
    before: async ({ here, env }) => void here.set('OTHER-NODE:PORT', env['FRIDGE_NODE'] ?? ''),
  },
  {
    line: "fridge whitelist remove operator/NAME --reason 'stolen key'",
    before: mean({ 'NEW-NAME': 'maria', NAME: 'thief' }),
  },
  { line: 'fridge whitelist log --operator NAME' },
  { line: 'fridge certs issue operator NEW-NAME' },
  { line: 'fridge whitelist remove operator/NAME --as NEW-NAME' },
  { line: 'fridge certs rotate-ca begin' },
  { line: 'fridge certs renew --all' },
  { line: 'fridge certs rotate-ca finish' },
  { line: 'fridge whitelist checkpoint', before: untilTakenUp },
  { line: 'fridge whitelist log --since 30d' },
  { line: 'fridge whitelist remove operator/STRANGER', before: mean({ STRANGER: 'stranger' }) },
]
