import test from 'ava'
import { explainEnding } from '../../../node/client/farewell.ts'
import { parseName, parseSubject } from '../../../node/identity/names.ts'

const CLIENT = {
  role: 'client',
  name: parseName('till-7'),
  subject: parseSubject('till-7'),
} as const

const attempt = { address: '', host: '', caFile: '', certificateFile: '' }

test('attack: whatever reason a node gives, its words are one line that acts on no terminal', t => {
  for (const reason of ['revoked', 'timeout', 'unheard of']) {
    const bye = { reason, text: 'no\u001b[2J\nyes' }
    const heard = { bye, greeted: true, self: CLIENT, attempt, lastedMs: 0 }
    t.is(explainEnding({ cause: 'lost' }, heard).message, 'no\uFFFD[2J yes', reason)
  }
})

test('the command that mends it names whom it is about', t => {
  for (const [reason, fix] of [
    ['not on the whitelist', 'an operator can let it in: fridge whitelist add till-7'],
    ['certificate expired', 'renew it: fridge certs renew client till-7'],
  ] as const) {
    const heard = { bye: { reason, text: '' }, greeted: true, self: CLIENT, attempt, lastedMs: 0 }
    t.is(explainEnding({ cause: 'lost' }, heard).fix, fix)
  }
})
