import test from 'ava'
import { qrLines } from '../../../cli/output/qr-code.ts'

test('a code has quiet around it, fits 80 columns for a link, and begins with its finder pattern', t => {
  const lines = qrLines(`https://node-1.example.com:8443/#invite=${'A'.repeat(22)}.phone`)
  const width = lines[0]?.length ?? 0
  t.true(width <= 80, String(width))
  t.true(lines.every(line => line.length === width))
  t.deepEqual(new Set(lines.slice(0, 2).join('')), new Set('█'))
  // Seven dark modules, which are blank; then a light one.
  t.is(lines[2]?.slice(4, 12), ' ▄▄▄▄▄ █')
})
