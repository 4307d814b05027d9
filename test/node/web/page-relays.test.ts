import test from 'ava'
import type { FridgeError } from '../../../node/lib/errors.ts'
import type { Audience } from '../../../node/relays/relays.ts'
import { PageRelays } from '../../../node/web/page-relays.ts'
import { ANYBODY, FarNode, KeptPage } from '../../support/far-node.ts'

/** The calls of one page, over relays whose far nodes do not answer. */
class Calls implements Disposable {
  readonly far = new FarNode()
  readonly page = new KeptPage()
  audience: Audience | undefined = ANYBODY
  readonly relayed: PageRelays

  constructor() {
    this.far.isUp = false
    this.relayed = new PageRelays({
      relays: this.far.relays,
      carrier: this.page.carrier,
      audience: () => this.audience,
      mayRead: this.page.mayRead,
    })
  }

  /** @returns the code of what it fails with */
  async call(name: string, ...values: unknown[]): Promise<string | undefined> {
    const method = this.relayed.methods.get(name)
    if (method === undefined) throw new Error(`there is no call ${name}`)
    try {
      await method(values, () => {}, new AbortController().signal)
      return undefined
    } catch (error) {
      return (error as FridgeError).code
    }
  }

  [Symbol.dispose](): void {
    this.far[Symbol.dispose]()
  }
}

test('a page watches four nodes at once, and another one for each that it leaves', async t => {
  using calls = new Calls()
  for (const node of ['node-2', 'node-3', 'node-4', 'node-5', 'node-5']) {
    t.is(await calls.call('watch', node), undefined)
  }
  t.is(await calls.call('watch', 'node-6'), 'ERR_LIMIT')
  t.is(await calls.call('unwatch', 'node-2'), undefined)
  t.is(await calls.call('watch', 'node-6'), undefined)
  t.is(calls.far.relays.audiences, 5)
  await calls.far.settle(6_000)
  t.is(calls.far.relays.audiences, 4)
})

test('a page on which nobody may read anything watches nothing, and no more what it has watched', async t => {
  using calls = new Calls()
  t.is(await calls.call('watch', 'node-2'), undefined)
  calls.audience = undefined
  calls.relayed.review()
  await calls.far.settle(6_000)
  t.is(calls.far.relays.audiences, 0)
  t.is(await calls.call('watch', 'node-2'), 'ERR_REFUSED')
})

test('what a page says that is no node is no node', async t => {
  using calls = new Calls()
  for (const value of [undefined, null, 7, '', '..', 'a/b', { name: 'node-2' }, 'x'.repeat(65)]) {
    t.is(await calls.call('watch', value), 'ERR_PROTOCOL')
    t.is(await calls.call('unwatch', value), 'ERR_PROTOCOL')
    t.is(await calls.call('historyOf', value, {}), 'ERR_COMMAND')
  }
  t.is(await calls.call('historyOf', 'node-2', {}), 'ERR_COMMAND')
  t.is(await calls.call('watch', 'node-2'), undefined)
  t.is(await calls.call('historyOf', 'node-2', {}), 'ERR_PROTOCOL')
  const request = { sensor: 'air', table: 'minutes', from: 0, to: 1, after: null }
  t.is(await calls.call('historyOf', 'node-2', request), 'ERR_UNREACHABLE')
  t.is(calls.far.relays.audiences, 1)
})
