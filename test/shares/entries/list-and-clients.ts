import { runShare } from '../run-share.ts'

await runShare('list-and-clients')
