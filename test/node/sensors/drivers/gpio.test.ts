import { execFile } from 'node:child_process'
import { chmod, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import test, { type ExecutionContext } from 'ava'

import { gpioSensor, type GpioOptions } from '../../../../node/sensors/drivers/gpio.ts'
import { makeTestFolder } from '../../../support/certs.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { watchSensor } from '../../../support/watch-sensor.ts'

/**
 * Tools that stand for those of libgpiod: they write down their arguments, take the level from the file
 * `level`, the edges from the FIFO `edges`, and the time between two looks from the FIFO `looks`.
 */
async function makeTools(t: ExecutionContext, version: string) {
  const folder = await makeTestFolder(t)
  const file = (name: string): string => join(folder, name)
  const tool = async (name: string, script: string): Promise<void> => {
    await writeFile(file(name), `#!/bin/sh\ncd "\${0%/*}" || exit\n${script}\n`)
    await chmod(file(name), 0o755)
  }
  const say = `[ "$1" = --version ] && { echo "gpiomon (libgpiod) v${version}"; exit; }`
  await tool('gpiomon', `${say}\necho "$@" >mon.args\nexec cat edges`)
  await tool('gpioget', 'echo "$@" >get.args\ncat level')
  await tool('sleep', 'read -r _ <looks')
  await promisify(execFile)('mkfifo', [file('edges'), file('looks')])
  // Both ends, so that no tool reads the end of the file.
  const edges = await open(file('edges'), 'r+')
  const looks = await open(file('looks'), 'r+')
  t.teardown(async () => {
    await Promise.all([edges.close(), looks.close()])
  })
  return {
    env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` },
    level: async (level: string) => writeFile(file('level'), `${level}\n`),
    edge: async (edge: string) => edges.write(`${edge}\n`),
    look: async () => looks.write('\n'),
    args: async (tool: 'get' | 'mon') => (await readFile(file(`${tool}.args`), 'utf8')).trim(),
  }
}

function watch(t: ExecutionContext, options: Partial<GpioOptions>) {
  const clock = new FakeClock()
  const abort = new AbortController()
  const sensor = gpioSensor({
    name: 'door',
    clock,
    chip: 'gpiochip0',
    line: 17,
    closedWhen: 'low',
    bias: 'pull-up',
    ...options,
  })
  const { next, ended } = watchSensor(sensor, abort.signal)
  t.teardown(async () => {
    abort.abort()
    await ended()
  })
  return { next }
}

for (const { version, falling, get, mon } of [
  {
    version: '1.6.3',
    falling: '0',
    get: '--bias=pull-up gpiochip0 17',
    mon: '--bias=pull-up --line-buffered --format=%e gpiochip0 17',
  },
  {
    version: '2.1.3',
    falling: '2',
    get: '--chip gpiochip0 --bias pull-up --numeric 17',
    mon: '--chip gpiochip0 --bias pull-up --format %e 17',
  },
]) {
  test(`with libgpiod ${version} a contact is looked at first, and then told at each edge`, async t => {
    const tools = await makeTools(t, version)
    await tools.level('0')
    const { next } = watch(t, { env: tools.env })
    t.like(await next(), { type: 'close' })
    await tools.edge('1')
    t.like(await next(), { type: 'open' })
    await tools.edge(falling)
    t.like(await next(), { type: 'close' })
    t.is(await tools.args('get'), get)
    t.is(await tools.args('mon'), mon)
  })
}

test('an edge that was missed shows at the next look', async t => {
  const tools = await makeTools(t, '2.1.3')
  await tools.level('0')
  const { next } = watch(t, { env: tools.env })
  t.like(await next(), { type: 'close' })
  // The watch has begun when its edges come.
  await tools.edge('2')
  t.like(await next(), { type: 'close' })
  await tools.level('1')
  await tools.look()
  t.like(await next(), { type: 'open' })
})

test('a contact to the supply is open while the line is low', async t => {
  const tools = await makeTools(t, '1.6.3')
  await tools.level('0')
  const { next } = watch(t, { env: tools.env, closedWhen: 'high', bias: 'disabled' })
  t.like(await next(), { type: 'open' })
  await tools.edge('1')
  t.like(await next(), { type: 'close' })
  t.regex(await tools.args('mon'), /^--bias=disable /)
})

test('a line that cannot be read ends it as a failure, by the name of the tool', async t => {
  const tools = await makeTools(t, '2.1.3')
  const { next } = watch(t, { env: tools.env })
  await t.throwsAsync(next(), { message: /^gpiomon ended with status [1-9]\d*$/ })
})
