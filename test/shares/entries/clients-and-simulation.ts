import { runShare } from '../run-share.ts'

await runShare('clients-and-simulation')
