import test from 'ava'
import {
  alternativeNames,
  CN,
  der,
  EMAIL_ADDRESS,
  extension,
  general,
  makeAuthority,
  name,
  nameConstraints,
  ORGANIZATION,
  sequence,
  type Making,
} from '../../support/chains.ts'
import {
  below,
  CA,
  leafOf,
  SPIFFE,
  testJudgements,
  tower,
  under,
  type Judgements,
} from '../../support/judgement.ts'

// Every rule kept once and broken once, judged by `pathOf` and by OpenSSL in a handshake.

const named = (...names: readonly Buffer[]): Partial<Making> => ({
  extensions: [alternativeNames(...names)],
})
const permitted = (...bases: readonly Buffer[]): Buffer => nameConstraints({ permitted: bases })
const excluded = (...bases: readonly Buffer[]): Buffer => nameConstraints({ excluded: bases })

/** A sequence whose length is written with a byte more than it needs. */
function longForm(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x30, 0x81, content.length]), content])
}

const kept: Judgements['kept'] = [
  ['a URI whose host is permitted', () => below([permitted(general.uri('shop.example'))])],
  ['a URI below a permitted domain', () => below([permitted(general.uri('.example'))])],
  ['a URI beside an excluded host', () => below([excluded(general.uri('evil.example'))])],
  [
    'a DNS name below a permitted one',
    () => below([permitted(general.dns('shop.example'))], named(general.dns('a.shop.example'))),
  ],
  [
    'an address within a permitted range',
    () => below([permitted(general.ip(10, 0, 0, 0, 255, 0, 0, 0))], named(general.ip(10, 1, 2, 3))),
  ],
  [
    'an address within a range whose mask has a hole',
    () =>
      below([permitted(general.ip(10, 0, 7, 0, 255, 0, 255, 0))], named(general.ip(10, 9, 7, 3))),
  ],
  [
    'a subject below a permitted one, in another spelling',
    () =>
      below([permitted(general.directory(name([ORGANIZATION, 'Shop  Ltd', 0x13])))], {
        subject: name([ORGANIZATION, ' shop ltd'], [CN, 'admin']),
      }),
  ],
  [
    'constraints of forms of which there is no name',
    () => below([permitted(general.email('x.example'), general.registered('1.2.3'))]),
  ],
  [
    'constraints that are not critical',
    () => below([nameConstraints({ permitted: [general.uri('shop.example')], critical: false })]),
  ],
]

const broken: Judgements['broken'] = [
  ['a URI whose host is not permitted', () => below([permitted(general.uri('other.example'))])],
  [
    'a URI of a domain of which only what is below is permitted',
    () => below([permitted(general.uri('.shop.example'))]),
  ],
  [
    'a URI below a host that is permitted alone',
    () =>
      below(
        [permitted(general.uri('example'))],
        named(general.uri('spiffe://shop.example/operator/admin')),
      ),
  ],
  ['a URI whose host is excluded', () => below([excluded(general.uri('shop.example'))])],
  [
    'a URI that the root does not permit',
    () =>
      under(
        makeAuthority('root', { extensions: [...CA, permitted(general.uri('other.example'))] }),
      ),
  ],
  [
    'a URI that only the upper of two intermediates does not permit',
    () => tower({}, { extensions: [...CA, permitted(general.uri('other.example'))] }, {}),
  ],
  [
    'a URI without a host where hosts are constrained',
    () => below([permitted(general.uri('shop.example'))], named(general.uri('urn:x:y'))),
  ],
  [
    'a constraint that is broken and not critical',
    () => below([nameConstraints({ excluded: [general.uri('shop.example')], critical: false })]),
  ],
  [
    'a DNS name that is not permitted',
    () => below([permitted(general.dns('shop.example'))], named(general.dns('a.other.example'))),
  ],
  [
    'a DNS name that only ends like a permitted one',
    () => below([permitted(general.dns('shop.example'))], named(general.dns('workshop.example'))),
  ],
  [
    'a DNS name below an excluded one',
    () => below([excluded(general.dns('shop.example'))], named(general.dns('a.SHOP.example'))),
  ],
  [
    'a common name of the form of a DNS name that is not permitted',
    () => below([permitted(general.dns('shop.example'))], { subject: 'a.other.example' }),
  ],
  [
    'an address outside the permitted range',
    () => below([permitted(general.ip(10, 0, 0, 0, 255, 0, 0, 0))], named(general.ip(11, 0, 0, 1))),
  ],
  [
    'an address of the other family than the permitted range',
    () =>
      below(
        [permitted(general.ip(10, 0, 0, 0, 255, 0, 0, 0))],
        named(general.ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),
      ),
  ],
  [
    'an address within an excluded range',
    () => below([excluded(general.ip(10, 0, 0, 0, 255, 0, 0, 0))], named(general.ip(10, 0, 0, 1))),
  ],
  [
    'a subject that is not below the permitted one',
    () => below([permitted(general.directory(name([ORGANIZATION, 'Shop'])))]),
  ],
  [
    'a subject below an excluded one, in another spelling',
    () =>
      below([excluded(general.directory(name([ORGANIZATION, 'SHOP', 0x13])))], {
        subject: name([ORGANIZATION, 'Shop'], [CN, 'admin']),
      }),
  ],
  [
    'an intermediate whose own subject is not permitted',
    () => {
      const shop = [ORGANIZATION, 'Shop'] as const
      const upper = permitted(general.directory(name(shop)))
      const chain = tower({}, { extensions: [...CA, upper] })
      const [issuer] = chain.between ?? []
      const lower = makeAuthority('elsewhere', { issuer })
      const leaf = leafOf(lower, { subject: name(shop, [CN, 'admin']) })
      return { ...chain, leaf, between: [lower, ...(chain.between ?? [])] }
    },
  ],
  [
    'an address for mail that is not permitted',
    () =>
      below([permitted(general.email('shop.example'))], named(general.email('a@other.example'))),
  ],
  [
    'an address for mail in the subject that is excluded',
    () =>
      below([excluded(general.email('shop.example'))], {
        subject: name([CN, 'admin'], [EMAIL_ADDRESS, 'a@shop.example', 0x16]),
      }),
  ],
  [
    'a registered name where such are constrained',
    () => below([permitted(general.registered('1.2.3'))], named(general.registered('1.2.3'))),
  ],
  [
    'a constraint with a maximum',
    () => {
      const subtree = sequence(general.uri('shop.example'), der(0x81, Buffer.from([9])))
      return below([extension('2.5.29.30', sequence(der(0xa0, subtree)), true)])
    },
  ],
]

const stricter: Judgements['stricter'] = [
  [
    'an address for mail where such are constrained',
    'no certificate here needs one, so the form is not applied',
    () => below([permitted(general.email('shop.example'))], named(general.email('a@shop.example'))),
  ],
  [
    'a URI with a user before its host',
    'the host of one reader is the user of another',
    () =>
      below(
        [excluded(general.uri('evil.example'))],
        named(general.uri('spiffe://shop@evil.examples/operator/admin')),
      ),
  ],
  [
    'a URI with an address for a host where hosts are constrained',
    'RFC 5280, section 4.2.1.10, demands it',
    () => below([excluded(general.uri('evil.example'))], named(general.uri('spiffe://10.0.0.1/x'))),
  ],
  [
    'a DNS name with an asterisk that stands for an excluded one',
    'it would be good for the excluded host',
    () => below([excluded(general.dns('www.shop.example'))], named(general.dns('*.shop.example'))),
  ],
  [
    'a length that is not in its shortest form',
    'what is no DER may be read in two ways',
    () =>
      below([excluded(general.uri('evil.example'))], {
        extensions: [extension('2.5.29.17', longForm(SPIFFE))],
      }),
  ],
]

testJudgements(test, { kept, broken, stricter })
