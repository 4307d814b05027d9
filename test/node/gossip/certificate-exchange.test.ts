import test from 'ava'
import { CertificateExchange, markOf } from '../../../node/gossip/certificate-exchange.ts'
import { makePeople } from '../../support/replica-people.ts'
import { attachEndpoint } from '../../support/gossip-document.ts'
import { openMembers } from '../../support/members.ts'
import { client, testSource } from '../../support/replica-changes.ts'
import { openReplica, testNetwork } from '../../support/replica-pair.ts'

const people = await makePeople({ nodes: ['alpha', 'beta', 'gamma'] })
const { signer } = people.node('alpha')

test('what a peer says it holds is not sent to it, and what it does not is sent once', t => {
  const exchange = new CertificateExchange()
  t.is(exchange.hear({ holds: [markOf(signer)] }), undefined)
  t.false(exchange.lacks(signer))
  const other = people.node('beta').signer
  t.deepEqual([exchange.lacks(other), exchange.lacks(other)], [true, false])
})

test('what a peer has sent is not sent back', t => {
  const exchange = new CertificateExchange()
  exchange.came(signer)
  t.false(exchange.lacks(signer))
})

test('a chain whose intermediate was renewed is another one', t => {
  const renewed = { ...signer, chain: [...signer.chain, 'MIIB'] }
  t.not(markOf(renewed), markOf(signer))
  const exchange = new CertificateExchange()
  exchange.hear({ holds: [markOf(signer)] })
  t.true(exchange.lacks(renewed))
})

test('an end says once what it holds, on whichever stream is the first', t => {
  const exchange = new CertificateExchange()
  t.deepEqual([...exchange.tell([signer])], [{ holds: [markOf(signer)] }])
  t.deepEqual([...exchange.tell([signer])], [])
})

test('what a peer must hold by what else it holds is not sent, as far as that is so by then', t => {
  const exchange = new CertificateExchange()
  const other = people.node('beta').signer
  exchange.infer(one => one === signer)
  t.deepEqual([exchange.lacks(signer), exchange.lacks(other)], [false, true])
})

test('the words of a node are sent with its certificate to a peer that holds none of them, and later ones without', async t => {
  const alpha = openMembers(people, 'alpha')
  const beta = openMembers(people, 'beta')
  const run = beta.replica.id
  const words = [...beta.replica.updatesOf(run).values()]
  const from = attachEndpoint(alpha.replica, run)
  const certificate = { certificate: people.node('beta').signer.chain }
  await from.receive({ id: run, clock: {} }, certificate, ...words, 'SYNC')
  await alpha.replica.settled()
  const isOfBeta = (frame: unknown): boolean =>
    JSON.stringify(frame) === JSON.stringify(certificate)
  const gamma = testSource('gamma')
  const newcomer = attachEndpoint(alpha.replica, gamma)
  await newcomer.receive({ id: gamma, clock: {} }, 'SYNC')
  t.is(newcomer.sent.filter(isOfBeta).length, 1)
  newcomer.dispose()
  const [profile] = words
  const again = attachEndpoint(alpha.replica, gamma)
  await again.receive({ id: gamma, clock: { [run]: profile?.[1] } }, 'SYNC')
  t.is(again.sent.filter(isOfBeta).length, 0)
  t.true(JSON.stringify(again.sent).includes(`${run}.state`))
})

for (const [what, holds] of [
  ['no list', { alpha: 1 }],
  ['a mark that is too short', ['CeL2Led']],
  ['a mark that is none', [1]],
  ['too many', Array.from({ length: 16_385 }, () => 'CeL2LedQ')],
] as const) {
  test(`of a peer that holds ${what} nothing is believed`, t => {
    t.is(new CertificateExchange().hear({ holds }), 'what a peer holds is malformed')
  })
}

test('a certificate comes to a node over the first link that needs it, and over no later one', async t => {
  const net = testNetwork()
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map(name => openReplica(people, name))
  if (alpha === undefined || beta === undefined || gamma === undefined) return t.fail()
  await alpha.grant(client('amber'))
  const sent: string[] = []
  for (const { replica, name } of [alpha, beta]) {
    const attach = replica.attach.bind(replica)
    replica.attach = (stream, isExpected) =>
      attach(
        {
          ...stream,
          send: frame => {
            if (JSON.stringify(frame).startsWith('{"certificate"')) sent.push(name)
            stream.send(frame)
          },
        },
        isExpected,
      )
  }
  net.connect(alpha, gamma)
  await net.quiet()
  t.deepEqual(sent, ['alpha', 'alpha'], 'the operator and the node')
  net.connect(alpha, beta)
  await net.quiet()
  sent.length = 0
  net.connect(beta, gamma)
  await alpha.revoke(client('amber'))
  await net.quiet()
  t.is(gamma.replica.whitelist.changes, 2)
  t.deepEqual(sent, [])
})
