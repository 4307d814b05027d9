import { createRequire } from 'node:module'
import test from 'ava'
import { sealGcrypt } from '../../../node/seal/gcrypt.ts'

type Crypt = (passphrase: string) => { decrypt(text: string): unknown }

const Crypt = createRequire(import.meta.url)('g-crypt') as Crypt

test('g-crypt 1.1.0 decrypts what is made for old pages', t => {
  const crypter = Crypt('correct horse battery staple ü')
  for (let number = 0; number < 100; number += 1) {
    const value = { type: 'reading', value: number / 7, unit: '°C', text: 'x'.repeat(number) }
    t.deepEqual(crypter.decrypt(sealGcrypt('correct horse battery staple ü', value)), value)
  }
})
