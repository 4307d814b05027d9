import { connectOperator } from '../../cli/operator.ts'
import { loadConfig } from '../../node/config/load-config.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { formatAddress } from '../../node/lib/address.ts'
import { startNode } from '../../node/start.ts'
import { PAGE_ORIGIN } from './page-protocol.ts'
import { reportTo } from './server-process.ts'
import { BENCH_IO } from './site.ts'

// One node of ours, as its pages reach it: page-server.ts CONFIG CERTS
const [file, certs = ''] = process.argv.slice(2)
const config = await loadConfig({ file, env: {}, flags: {}, cwd: process.cwd() })
const node = await startNode(config)
const subject = parseSubject(`origin/${PAGE_ORIGIN}`)
{
  const target = { certs, as: 'admin', node: [formatAddress(node.address)] }
  await using operator = await connectOperator(target, BENCH_IO)
  const terms = { sensors: ['temperature'], public: true } as const
  await operator.change({ kind: 'grant', subject, terms }, { waitMs: 10_000 })
}
const { port } = new URL(node.page ?? '')
reportTo(process, Number(port), async () => node[Symbol.asyncDispose]())
