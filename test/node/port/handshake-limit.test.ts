import test from 'ava'
import { HandshakeLimit } from '../../../node/port/handshake-limit.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const TLS = {
  handshakesPerSecond: 1,
  handshakeBurst: 2,
  handshakesPerSecondTotal: 10,
  handshakeBurstTotal: 20,
}

function limit(): { clock: FakeClock; handshakes: HandshakeLimit } {
  const clock = new FakeClock()
  return { clock, handshakes: new HandshakeLimit({ tls: TLS, clock }) }
}

/** Handshakes from so many addresses, one of each. @returns how many could begin */
function flood(handshakes: HandshakeLimit, addresses: number): number {
  let begun = 0
  for (let index = 0; index < addresses; index += 1) {
    const isBegun = handshakes.begin(`10.0.${index >> 8}.${index & 255}`) === undefined
    begun += Number(isBegun)
  }
  return begun
}

test('an address may begin its burst, whatever others do', t => {
  const { handshakes } = limit()
  t.deepEqual(
    [1, 2, 3].map(() => handshakes.begin('192.0.2.1')),
    [undefined, undefined, 'limited'],
  )
})

test('a flood from everywhere is held to the rate of all addresses together', async t => {
  const { clock, handshakes } = limit()
  t.is(flood(handshakes, 1_000), 20)
  t.is(handshakes.begin('192.0.2.1'), 'limited in all')
  await clock.advance(1_000)
  t.is(flood(handshakes, 1_000), 10)
})

test('whoever has shown a certificate comes back through a flood, also from a neighbouring address of IPv6', t => {
  const { handshakes } = limit()
  handshakes.succeeded('192.0.2.1')
  handshakes.succeeded('2001:db8:1:2::1')
  flood(handshakes, 1_000)
  t.is(handshakes.begin('192.0.2.1'), undefined)
  t.is(handshakes.begin('2001:db8:1:2::9'), undefined)
  t.is(handshakes.begin('192.0.2.2'), 'limited in all')
})

test('those who have shown a certificate are held to a rate together as well', t => {
  const { handshakes } = limit()
  for (let index = 0; index < 256; index += 1) handshakes.succeeded(`10.0.0.${index}`)
  t.is(flood(handshakes, 256), 20)
  t.is(handshakes.begin('192.0.2.1'), undefined)
})

test('of those who have shown a certificate the last ten thousand are remembered', t => {
  const { handshakes } = limit()
  for (let index = 0; index <= 10_000; index += 1) {
    handshakes.succeeded(`10.1.${index >> 8}.${index & 255}`)
  }
  flood(handshakes, 100)
  t.is(handshakes.begin('10.1.0.0'), 'limited in all')
  t.is(handshakes.begin('10.1.0.1'), undefined)
})
