import { runShare } from '../run-share.ts'

await runShare('cli')
