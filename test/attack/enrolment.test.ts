import { createPrivateKey, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { createRequest, requestFor } from '../../node/authority/request.ts'
import { issuingFiles } from '../../node/enrolment/desk.ts'
import { ENROLMENT_ALPN, MAX_LINE_BYTES } from '../../node/enrolment/messages.ts'
import type { Credentials } from '../../node/identity/credentials.ts'
import { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import { parseName } from '../../node/identity/names.ts'
import type { Address } from '../../node/lib/address.ts'
import { systemClock } from '../../node/lib/clock.ts'
import { tokenDigest } from '../../node/operators/tokens.ts'
import { makeTestCerts, type TestCerts } from '../support/certs.ts'
import { makeAuthority, makeCertificate, pemOf, sequence } from '../support/chains.ts'
import { runCommand } from '../support/cli.ts'
import { PEOPLE, startCluster, type Cluster } from '../support/cluster.ts'

/** Who may come to the enrolment port without any certificate, and what it gets. */

interface Desk extends AsyncDisposable {
  readonly certs: TestCerts
  readonly cluster: Cluster
  readonly address: Address
}

async function openDesk(t: ExecutionContext): Promise<Desk> {
  const certs = await makeTestCerts(t, { ...PEOPLE, operators: ['admin', 'second'] })
  await runCommand(['certs', 'issuing-key', 'node-1', '--certs', certs.dir])
  const config = { enrolment: { listen: '127.0.0.1:0' } }
  const cluster = await startCluster(t, { certs, config })
  const { enrolment: address } = cluster.node(1)
  if (address === undefined) throw new Error('the node issues nothing')
  const dispose = async (): Promise<void> => cluster[Symbol.asyncDispose]()
  return { certs, cluster, address, [Symbol.asyncDispose]: dispose }
}

async function dial(t: ExecutionContext, { host, port }: Address): Promise<TLSSocket> {
  const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: [ENROLMENT_ALPN] })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

/** All that the node says to a line, until it ends. */
async function ask(t: ExecutionContext, address: Address, line: string): Promise<string> {
  const socket = await dial(t, address)
  let heard = ''
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text))
  const closed = once(socket, 'close')
  socket.write(`${line}\n`)
  await closed
  const [, answer = ''] = heard.split('\n')
  return answer
}

/** A request of a client for the key of some credentials. */
async function requestOf({ key }: Credentials): Promise<string> {
  const privateKey = createPrivateKey(key)
  const asked = { role: 'client', name: parseName('c1'), hosts: [] } as const
  return requestFor(asked, { privateKey, publicKey: createPublicKey(privateKey) })
}

test('attack: nothing but a question is answered, and the port goes on', async t => {
  await using desk = await openDesk(t)
  const { request } = await createRequest({ role: 'client', name: parseName('c1'), hosts: [] })
  for (const [line, says] of [
    ['x'.repeat(MAX_LINE_BYTES + 1), /^$/],
    [Buffer.from([0xff, 0xfe]).toString('latin1'), /no question/],
    ['[]', /no question/],
    ['{"request":1,"secret":"a"}', /no question/],
    [JSON.stringify({ secret: 'a', chain: 'b', request }), /no question/],
    [JSON.stringify({ secret: 'a', request: 'none' }), /is no request for a certificate/],
    [JSON.stringify({ secret: 'a', request }), /was used already, or has ended/],
    [JSON.stringify({ secret: '', request }), /was used already, or has ended/],
    [JSON.stringify({ secret: '__proto__', request }), /was used already, or has ended/],
    [JSON.stringify({ chain: '', request }), /is not a certificate/],
  ] as const) {
    const answer = await ask(t, desk.address, line)
    t.regex(answer, says, line.slice(0, 80))
    t.false(answer.startsWith('{"certificate"'))
  }
})

test('attack: nobody renews what is not its own, or not of this cluster, or no client', async t => {
  await using desk = await openDesk(t)
  const { certs, cluster, address } = desk
  const foreign = await makeTestCerts(t, PEOPLE)
  await cluster.grant(1, 'c1')
  const [c1, c2] = [await certs.load('client', 'c1'), await certs.load('client', 'c2')]
  const admin = await certs.load('operator', 'admin')
  const node = await certs.load('node', 'node-1')
  const stranger = await foreign.load('client', 'c1')
  for (const [chain, key, says] of [
    [c1, c2, /it is of another key/],
    [c2, c2, /c2 is not let in/],
    [admin, admin, /that of operator\/admin, and clients alone are renewed/],
    [node, node, /that of node\/node-1, and clients alone are renewed/],
    [stranger, stranger, /this certificate is not renewed/],
  ] as const) {
    const question = { chain: chain.certificate, request: await requestOf(key) }
    const answer = await ask(t, address, JSON.stringify(question))
    t.regex(answer, says)
    t.false(answer.startsWith('{"certificate"'))
  }
  const unheard = makeCertificate({ subject: 'c1', issuer: makeAuthority(sequence()) })
  const nameless = { chain: pemOf(unheard), request: await requestOf(c1) }
  t.regex(await ask(t, address, JSON.stringify(nameless)), /not renewed: it was issued by \\"\\"/)
  const question = { chain: c1.certificate, request: await requestOf(c1) }
  t.true((await ask(t, address, JSON.stringify(question))).startsWith('{"certificate"'))
})

test('attack: with an operator go the tokens that it has given out', async t => {
  await using desk = await openDesk(t)
  const { certs, cluster, address } = desk
  const { request } = await createRequest({ role: 'client', name: parseName('c1'), hosts: [] })
  const enroll = async (secret: string): Promise<string> =>
    ask(t, address, JSON.stringify({ secret, request }))
  const expiresAt = Date.now() + 60_000
  for (const [operator, secret] of [
    ['second', 'of a thief'],
    ['admin', 'of an operator'],
  ] as const) {
    await using giving = await OperatorConnection.connect(
      [cluster.node(1).address],
      await certs.load('operator', operator),
      { clock: systemClock },
    )
    await giving.ask('token', ['c1', tokenDigest(secret), expiresAt])
  }
  await cluster.revoke(1, 'operator/second')
  t.regex(await enroll('of a thief'), /was used already, or has ended/)
  t.true((await enroll('of an operator')).startsWith('{"certificate"'))
})

test('a node with an issuing key of an authority that is trusted no more takes no token', async t => {
  await using desk = await openDesk(t)
  const { certs, cluster, address } = desk
  const { request } = await createRequest({ role: 'client', name: parseName('c1'), hosts: [] })
  const step = async (...args: string[]): Promise<void> => {
    t.is((await runCommand(['certs', ...args, '--certs', certs.dir])).status, 0)
    t.not(await cluster.node(1).reload(), 'refused')
  }
  await using operator = await OperatorConnection.connect(
    [cluster.node(1).address],
    await certs.load('operator', 'admin'),
    { clock: systemClock },
  )
  const secret = 'of an operator'
  await operator.ask('token', ['c1', tokenDigest(secret), Date.now() + 60_000])
  await step('rotate-ca', 'begin')
  await step('renew', '--all')
  await step('rotate-ca', 'finish', '--force')
  const question = JSON.stringify({ secret, request })
  t.deepEqual(JSON.parse(await ask(t, address, question)), {
    error: 'this node cannot issue now: see its log',
  })
  const { fields } = await cluster.log.find(({ text }) => text === 'nothing was issued')
  t.regex(
    String(fields['reason']),
    /of node-1 is of "CN=test\.fridge CA", which is trusted no more/,
  )
  await step('issuing-key', 'node-1', '--force')
  t.true((await ask(t, address, question)).startsWith('{"certificate"'))
})

test('attack: whoever asks hears nothing of the files of the node', async t => {
  await using desk = await openDesk(t)
  const { certs, address } = desk
  const { request } = await createRequest({ role: 'client', name: parseName('c1'), hosts: [] })
  const { certificateFile, keyFile } = issuingFiles(certs.dir, parseName('node-1'))
  for (const file of [certificateFile, keyFile]) {
    const before = await readFile(file)
    await writeFile(file, 'damaged')
    const answer = await ask(t, address, JSON.stringify({ secret: 'a', request }))
    t.deepEqual(JSON.parse(answer), { error: 'this node cannot issue now: see its log' })
    await writeFile(file, before)
  }
})

test('attack: what the port of the cluster takes, that of enrolments does not', async t => {
  await using desk = await openDesk(t)
  const socket = await dial(t, desk.address)
  const [greeting] = (await once(socket.setEncoding('utf8'), 'data')) as [string]
  t.deepEqual(Object.keys(JSON.parse(greeting) as object), ['authorities', 'issuer', 'succession'])
  socket.write('["a1","new","rpc"]\n')
  const [answer] = (await once(socket, 'data')) as [string]
  t.regex(answer, /no question/)
})
