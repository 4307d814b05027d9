import { runShare } from '../run-share.ts'

await runShare('faults-and-attacks')
