import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readPassphrase } from '../../../node/seal/passphrase-file.ts'
import { makeTestFolder } from '../../support/certs.ts'

const MAKE = 'fridge seal passphrase kitchen'

async function fileWith(t: ExecutionContext, text: string): Promise<string> {
  const file = join(await makeTestFolder(t), 'kitchen.txt')
  await writeFile(file, text, { mode: 0o600 })
  return file
}

test('a passphrase is read as one line, whatever is around its words', async t => {
  const file = await fileWith(t, '  correct horse\tbattery  staple \n')
  t.is(await readPassphrase(file, MAKE), 'correct horse battery staple')
})

test('a file that others may read, that is missing or too short is refused, and never quoted', async t => {
  const open = await fileWith(t, 'correct horse battery staple\n')
  await chmod(open, 0o640)
  const refusals = [
    [open, /open to others \(mode 640\)/, /^chmod 600 /],
    [`${open}.none`, /there is no passphrase/, /^fridge seal passphrase kitchen$/],
    [await fileWith(t, 'correct horse\n'), /has 13 characters/, /^fridge seal passphrase kitchen$/],
  ] as const
  for (const [file, message, fix] of refusals) {
    const error = await t.throwsAsync(readPassphrase(file, MAKE), { code: 'ERR_KEY_FILE', message })
    t.regex((error as { fix?: string } | undefined)?.fix ?? '', fix)
    t.notRegex(error?.message ?? '', /horse/)
  }
})
