import { chmod } from 'node:fs/promises'
import test from 'ava'
import { credentialFiles } from '../../../node/identity/credential-files.ts'
import { loadCredentialFiles } from '../../../node/identity/credentials.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { parseName } from '../../../node/identity/names.ts'
import { makeTestCerts } from '../../support/certs.ts'

// Alone in its file, and so in its process: a superuser must become someone else for a moment.
test('a key that this user may not read says so, and who could', async t => {
  const { dir } = await makeTestCerts(t, { nodes: ['alpha'] })
  const files = credentialFiles(dir, 'node', parseName('alpha'))
  for (const folder of [dir, `${dir}/ca`, `${dir}/nodes`, `${dir}/nodes/alpha`]) {
    await chmod(folder, 0o755)
  }
  await chmod(files.keyFile, 0o000)
  const superuser = process.geteuid?.() === 0
  if (superuser) process.seteuid?.(65_534)
  try {
    const error = await t.throwsAsync(loadCredentialFiles(files), {
      instanceOf: FridgeError,
      code: 'ERR_KEY_FILE',
      message: /private-key\.pem cannot be read: this user may not read it/,
    })
    t.regex(error?.fix ?? '', /run as the user who owns it: ls -l/)
  } finally {
    if (superuser) process.seteuid?.(0)
  }
})
