import type { Alarm } from '../../node/alarms/alarm.ts'
import { parseAlarm } from '../../node/alarms/parse.ts'
import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import type { RefusalReason } from '../../node/sessions/admission.ts'
import { explainEnding } from '../../node/client/farewell.ts'
import { parseName, parseSubject } from '../../node/identity/names.ts'
import { isLastWord } from '../../node/client/last-words.ts'
import { parseNodeHello } from '../../node/client/node-hello.ts'
import type { Dialect } from '../../node/events/dialect.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { identityOf } from '../../node/identity/identity.ts'
import type { Hello } from '../../node/wire/control.ts'
import { CLIENT_LIMITS, NODE_LIMITS, PEER_LIMITS, type WireLimits } from '../../node/wire/limits.ts'
import { forgeCertificate, uris } from '../support/forged-certificate.ts'
import { ClientEnd, linesOf, NodeEnd, play, quiet, refusalOf } from '../vectors/session.ts'
import { NODE_1 } from '../vectors/gossip.ts'
import { withVerdict } from '../vectors/vectors.ts'
import { readProtocol, untriedOf } from '../vectors/parts.ts'

/** PROTOCOL.md against the code, on the port: whoever changes one of the two learns of the other. */

const vectors = readProtocol()

const identities = vectors.json('identities') as { cn: string; uris: string[]; is: string | null }[]

test('names in certificates are read as the page says', async t => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  for (const { cn, uris: claimed, is } of identities) {
    const der = await forgeCertificate({
      subject: [{ CN: [cn] }],
      names: uris(...claimed),
      keys,
    })
    const read = (): string | null => {
      try {
        return identityOf(der).subject
      } catch (error) {
        if (error instanceof FridgeError && error.code === 'ERR_CERTIFICATE') return null
        throw error
      }
    }
    t.is(read(), is, `${cn} ${claimed.join(' ')}`)
  }
})

const sessions: [dialect: Dialect, session: string[]][] = [
  ['plain', vectors.lines('plain-session')],
  ['fridge/1', vectors.lines('fridge-session')],
]

for (const [dialect, session] of sessions) {
  test(`a node speaks ${dialect} as the page does`, async t => {
    const node = new NodeEnd(dialect)
    await play(node, session, 'C')
    t.deepEqual(node.said, linesOf(session, 'N'))
    t.is(node.ending?.cause, 'closed')
  })

  test(`a client speaks ${dialect} as the page does`, async t => {
    const end = new ClientEnd()
    await play(end, session, 'N')
    t.deepEqual(end.said, linesOf(session, 'C'))
    t.is(end.ending, undefined)
    const said = linesOf(session, 'N').join('\n')
    const events = said.match(/\\"(open|close|reading|unavailable|resumed)\\"/g)
    t.is(end.heard.length, events?.length ?? 0)
    t.is(end.bye === undefined, !said.includes('\\"bye\\"'))
    t.is(end.outcomes.length, session.filter(line => line.startsWith('* call')).length)
    for (const outcome of end.outcomes) t.true(said.includes(outcome.replace(/^\w+: /, '')))
  })
}

test('a node cuts a client that has been silent for 6 s, and one that beats lives on', async t => {
  const [mute, alive] = [new NodeEnd('fridge/1'), new NodeEnd('fridge/1')]
  for (const node of [mute, alive]) node.happen('connect', '')
  await quiet()
  alive.hear('["c0","data","[\\"hello\\",{\\"protocol\\":1}]\\n"]')
  for (let second = 0; second < 9; second += 3) {
    alive.hear('["c0","data","[\\"beat\\"]\\n"]')
    for (const node of [mute, alive]) node.happen('3000', 'ms')
    await quiet()
  }
  t.is(mute.ending?.cause, 'dead')
  t.is(alive.ending, undefined)
})

const nodeHellos = vectors.json('node-hellos') as { hello: Hello; why: string | null }[]

test('a client takes and refuses hellos as the page says', t => {
  for (const { hello, why } of nodeHellos) {
    const parsed = parseNodeHello(hello)
    t.is(typeof parsed === 'string' ? parsed : null, why, JSON.stringify(hello))
  }
  // The one of the session above as well.
  const said = sessions.flatMap(([, session]) => linesOf(session, 'N')).find(isHello) ?? ''
  const [, , text] = JSON.parse(said) as [string, string, string]
  const [, fields] = JSON.parse(text) as [string, Hello]
  t.like(parseNodeHello(fields), { node: 'node-1', run: NODE_1 })
})

function isHello(line: string): boolean {
  return line.includes('[\\"hello\\"')
}

const hellos = vectors.json('client-hellos') as { hello: object; why: string | null }[]

test('a node takes and refuses hellos as the page says', async t => {
  for (const { hello, why } of hellos) {
    const line = JSON.stringify(['c0', 'data', `${JSON.stringify(['hello', hello])}\n`])
    const refusal = await refusalOf([`C ${line}`])
    t.is(refusal, why === null ? null : `emitter: ${why}`)
  }
})

const refusedLines = vectors.cases('refused-lines')

test('a node refuses the lines that the page says, for the reasons that it says', async t => {
  for (const lines of refusedLines) {
    const { said, why } = withVerdict(lines)
    t.is(await refusalOf(said), why, said.join('\n'))
  }
})

const farewells = vectors.table('farewell')

test('a client comes back after the farewells that the page says', t => {
  const decided: Record<RefusalReason, true> = {
    revoked: true,
    'not on the whitelist': true,
    expired: true,
    'wrong key': true,
    'certificate expired': true,
    'not trusted': true,
    isolated: true,
    'node removed': true,
    'not ready': true,
  }
  const said = farewells.map(([reason]) => reason)
  t.deepEqual(
    Object.keys(decided).filter(reason => !said.includes(reason)),
    [],
  )
  const attempt = { address: '', host: '', caFile: '', certificateFile: '' }
  const self = {
    role: 'client',
    name: parseName('till-7'),
    subject: parseSubject('till-7'),
  } as const
  for (const [reason = '', to, , comesBack = ''] of [
    ...farewells,
    ['unheard of', 'all', '', 'yes'],
  ]) {
    if (to === 'node') continue
    const heard = { bye: { reason, text: '' }, greeted: true, self, attempt, lastedMs: 0 }
    t.is(isLastWord(explainEnding({ cause: 'lost' }, heard)), !comesBack.startsWith('yes'), reason)
  }
})

test('an alarm is taken or passed over as the page says', t => {
  const cases = vectors.json('alarms') as { alarm: unknown; isTaken: boolean }[]
  for (const { alarm, isTaken } of cases) {
    t.deepEqual(parseAlarm(alarm), isTaken ? (alarm as Alarm) : undefined)
  }
})

const limits = vectors.table('limits')

test('the limits of the wire are those of the page', t => {
  const columns: WireLimits[] = [CLIENT_LIMITS, PEER_LIMITS, NODE_LIMITS]
  for (const [index, column] of columns.entries()) {
    const said = limits.map(([name = '', ...cells]) => [
      name,
      cells[index] === 'none' ? Infinity : Number(cells[index]?.replaceAll(',', '')),
    ])
    t.deepEqual(Object.fromEntries(said), column)
  }
})

test('every vector of this part is tried', t => {
  t.deepEqual(untriedOf('sessions', vectors), [])
})
