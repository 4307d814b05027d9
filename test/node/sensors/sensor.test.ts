import test from 'ava'

import { isSensorName } from '../../../node/sensors/sensor.ts'

test('a sensor name is short, lower-case and starts with a letter', t => {
  for (const name of ['door', 't', 'cold-room-2', 'a'.repeat(32)]) t.true(isSensorName(name), name)
  for (const name of ['', 'Door', '2nd', '-a', 'a_b', 'a b', '__proto__', 'a'.repeat(33), 7]) {
    t.false(isSensorName(name), String(name))
  }
})
