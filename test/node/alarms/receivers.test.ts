import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { receiverProblems } from '../../../node/alarms/receivers.ts'
import { makeTestFolder } from '../../support/certs.ts'
import { testConfig } from '../../support/cluster.ts'

const url = 'http://127.0.0.1:1/'

test('a program that is not there, and a token or a password that cannot be read, are known before there is an alarm', async t => {
  const folder = await makeTestFolder(t)
  const tokenFile = join(folder, 'token')
  const all = { webhook: { url, tokenFile }, program: ['/nonexistent/notify', '--quiet'] }
  t.deepEqual(await receiverProblems(all), [
    {
      text: 'the webhook is told of no alarm: its token cannot be read: ENOENT',
      fix: `put the token of the webhook into ${tokenFile}, where this user can read it`,
    },
    {
      text: 'the program for alarms is told of none: there is no program /nonexistent/notify',
      fix: 'name one in alarms.program that this user can run',
    },
  ])
  await writeFile(tokenFile, 'secret\n')
  t.deepEqual(await receiverProblems({ ...all, program: ['sh', '-c', 'exit 0'] }), [])
  t.deepEqual(await receiverProblems({ webhook: { url } }), [])
  const { mqtt } = testConfig('node-1', {
    certs: '',
    data: '',
    config: {
      alarms: { mqtt: { broker: 'mqtt://x', user: 'u', passwordFile: join(folder, 'none') } },
    },
  }).alarms
  t.deepEqual(await receiverProblems({ mqtt }), [
    {
      text: 'the broker is told of no alarm: the password of the broker cannot be read: ENOENT',
      fix: 'name files in alarms.mqtt that this user can read',
    },
  ])
})
