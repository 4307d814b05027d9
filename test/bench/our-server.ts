import { loadConfig } from '../../node/config/load-config.ts'
import { startNode } from '../../node/start.ts'
import { reportTo } from './server-process.ts'

// One node of ours: our-server.ts CONFIG
const config = await loadConfig({ file: process.argv[2], env: {}, flags: {}, cwd: process.cwd() })
const node = await startNode(config)
reportTo(process, node.address.port, async () => node[Symbol.asyncDispose]())
