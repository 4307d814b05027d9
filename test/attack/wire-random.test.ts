import test from 'ava'
import * as fc from 'fast-check'
import { sharedNames, WireHost } from '../support/wire-host.ts'

/** Mostly right and a little wrong: what is all wrong gets no further than the first check. */
const F = '[Function]'
const anything = fc.jsonValue({ maxDepth: 3 })

const call = fc
  .record(
    {
      method: fc.oneof(fc.constantFrom(0, 1, 2, 'probe', 'methods', 'cull', 'toString'), anything),
      arguments: fc.oneof(
        fc.array(fc.constantFrom(F, null, 4, { a: F }), { maxLength: 3 }),
        anything,
      ),
      callbacks: fc.oneof(
        fc.dictionary(
          fc.constantFrom('0', '1', '7', 'a', '__proto__'),
          fc.oneof(fc.constantFrom(['0'], ['1'], ['2'], ['0', 'a'], ['0', '__proto__']), anything),
          { maxKeys: 2 },
        ),
        anything,
      ),
      links: fc.oneof(
        { weight: 4, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: anything },
      ),
    },
    { requiredKeys: ['method', 'arguments'] },
  )
  .map(message => `${JSON.stringify(message)}\n`)
const event = fc
  .tuple(fc.constantFrom('open', 'error', 'newListener'), anything)
  .map(value => `${JSON.stringify(value)}\n`)
const text = fc.oneof(call, event, fc.string())

const frame = fc.oneof(
  fc.tuple(fc.constantFrom('a1', '1', '2', 'door'), fc.constant('data'), text),
  fc.tuple(
    fc.constantFrom('1', '2'),
    fc.constant('new'),
    fc.constant({ meta: 'rpc', opts: { writable: true, readable: true } }),
  ),
  fc.tuple(
    fc.constantFrom('a1', '1', '2', 'door'),
    fc.constantFrom('pause', 'resume', 'end', 'close'),
  ),
  fc.tuple(
    fc.constantFrom('a1', '1', 'door'),
    fc.constant('error'),
    fc.oneof(fc.string(), anything),
  ),
  fc.tuple(fc.constantFrom('a1', '1', 'toString', '__proto__'), fc.string(), anything),
  anything,
)

test('no frames, however wrong, throw, refuse twice or touch what objects share', async t => {
  const shared = sharedNames()
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.nat(3_000)),
      async (frames, cuts) => {
        const host = await WireHost.open()
        const lines = frames.map(value => {
          if (Array.isArray(value) && value[0] === 'door') value[0] = host.door.id
          return `${JSON.stringify(value)}\n`
        })
        const bytes = Buffer.from(lines.join(''))
        const at = [0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].toSorted(
          (a, b) => a - b,
        )
        for (const [index, end] of at.entries())
          host.mux.receive(bytes.subarray(at[index - 1] ?? 0, end))
        await host.settle()
        t.true(host.refusals.length <= 1)
        if (host.refusals.length === 1) t.deepEqual(host.openStreams, [])
      },
    ),
    { numRuns: 500 },
  )
  t.deepEqual(sharedNames(), shared)
})

test('random bytes throw nothing', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 })), async chunks => {
      const host = await WireHost.open()
      for (const chunk of chunks) host.mux.receive(chunk)
      t.true(host.refusals.length <= 1)
    }),
  )
})
