/** How frames say it, with pieces in them (`dense-text.ts`). */
const FRAMES = [
  '{"confirmed":[["',
  within('{"node":"","to":"","applied":1}'),
  '{"holds":["{"heads":{"":[1,"\x01 "]}},{"id":"\x07\x06","clock":{"":1},"same":"',
  '[{"member":"',
  within('{"alarms":[],"sensors":[["temperature",'),
  within('{"addresses":[""],"version":"0.0.0","startedAt":17,"tallyKey":"\x01 "}'),
  within('{"saidAt":17,"links":["\x08\x01","\x08\x02","\x08\x03"]}'),
  '","certificate":"\x06\x00","certificate":"\x03 ","signature":"\x04"},1,"\x08\x00.state"],',
]

/** What certificates of an authority have in common, of P-256 and as a node or an operator has them: DER. */
const CERTIFICATE = [
  '{"certificate":["\x05\x81\x57',
  // Version, serial number, algorithm, and the name of the authority.
  der('308201fb308201a0a00302010202 09 300a06082a8648ce3d040302 3019311730150603550403130e'),
  'fridge CA',
  // From when to when, the name of the holder, and the algorithm of the key.
  `${der('301e170d')}260101000000Z${der('170d')}360101000000Z${der('3011310f300d06035504031306')}`,
  der('3059301306072a8648ce3d020106082a8648ce3d030107034200'),
  // No authority; it signs, as a client or as both ends of a connection.
  der('a381d83081d5 300c0603551d130101ff04023000 300e0603551d0f0101ff040403020780'),
  der('30130603551d25040c300a06082b06010505070302'),
  der('301d0603551d250416301406082b0601050507030106082b06010505070302'),
  // The names that it answers to.
  `${der('30560603551d11044f304d8620')}spiffe://fridge/operator/spiffe://fridge/node/${der('8206')}`,
  `${der('8209')}localhost${der('87047f000001 871000000000000000000000000000000001')}`,
  // The identifiers of both keys, and the algorithm of the signature.
  der('301d0603551d0e04160414 301f0603551d23041830168014 300a06082a8648ce3d04030203'),
  '"]},',
]

const CHANGE = [
  '[{"change":"',
  within('{"fridge":2,"kind":"grant","kind":"revocation","subject":"client/","source":"\x07\x06",'),
  within('"sequence":1,"previous":"","operator":"","at":17,"wish":"\x01\x10","seen":[]}'),
  '","operatorCertificate":"\x06\x00","nodeCertificate":"\x03 ","operatorSignature":"\x04",',
  '"nodeSignature":"\x04"},1,"\x08\x00"]]',
]

/**
 * What both ends take to stand before each dense text, so that it is short the first time as well
 * (PROTOCOL.md, "Packed frames"): a change with a certificate is fixed words for the most part.
 */
export const PACKING_DICTIONARY = Buffer.from(
  [...FRAMES, ...CERTIFICATE, ...CHANGE].join(''),
  'latin1',
)

/** JSON in a string of JSON. */
function within(json: string): string {
  return json.replaceAll('"', String.raw`\"`)
}

/** Bytes as characters of Latin-1. */
function der(digits: string): string {
  return Buffer.from(digits.replaceAll(' ', ''), 'hex').toString('latin1')
}
