import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { READY, type Scene, type Step } from '../support/typed-scene.ts'

/** The lines of docs/from-the-article.md. */

const ARTICLE_PORT = '7443'
const OLD_NODE = 'node old-node.mjs'

/** Let a program dial the node that runs now. */
async function dialNode({ folder, here }: Scene): Promise<void> {
  const file = join(folder, 'client.mjs')
  const [, port = ''] = here.get(`127.0.0.1:${ARTICLE_PORT}`)?.split(':') ?? []
  await writeFile(file, (await readFile(file, 'utf8')).replace(/port: \d+/, `port: ${port}`))
}

export const FROM_2016: readonly Step[] = [
  { line: 'fridge certs init' },
  { line: 'fridge certs issue node node-1' },
  { line: 'fridge certs issue client fridge-client-001' },
  {
    line: OLD_NODE,
    says: /^listening/,
    stays: true,
    heard: ({ here }, said) =>
      void here.set(`127.0.0.1:${ARTICLE_PORT}`, `127.0.0.1:${said.trim().split(' ').at(-1)}`),
  },
  {
    line: 'node client.mjs',
    says: /^target temperature set to 6 °C$/,
    status: null,
    before: dialNode,
  },
  { line: 'node two-lists.mjs', prints: /^true true$/ },
  {
    line: String.raw`node -p "['name', ...Object.keys(JSON.parse(fs.readFileSync('whitelist.json')))].join('\n')" > clients.csv`,
  },
  {
    line: 'fridge node start --name node-1',
    says: READY,
    stays: true,
    at: `127.0.0.1:${ARTICLE_PORT}`,
  },
  {
    line: "fridge whitelist apply clients.csv --reason 'from whitelist.json'",
    before: async ({ env, here }) =>
      void (env['FRIDGE_NODE'] = here.get(`127.0.0.1:${ARTICLE_PORT}`) ?? ''),
  },
  {
    line: 'node client.mjs',
    says: /^target temperature set to 6 °C$/,
    status: null,
    before: dialNode,
  },
]
