import test from 'ava'
import { explainEnding } from '../../../node/client/farewell.ts'

test('attack: whatever reason a node gives, its words are one line that acts on no terminal', t => {
  const attempt = { address: '', host: '', caFile: '', certificateFile: '' }
  for (const reason of ['revoked', 'timeout', 'unheard of']) {
    const bye = { reason, text: 'no\u001b[2J\nyes' }
    const heard = { bye, greeted: true, role: 'client', attempt } as const
    t.is(explainEnding({ cause: 'lost' }, heard).message, 'no\uFFFD[2J yes', reason)
  }
})
