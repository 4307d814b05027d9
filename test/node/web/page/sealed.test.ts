import test from 'ava'
import { ChannelKey, type PlaceInChannel } from '../../../../node/seal/channel-key.ts'
import { historyPlace } from '../../../../node/seal/format.ts'
import type * as SealedPage from '../../../../node/web/page/sealed.ts'
import {
  beginSealed,
  channels,
  hearSealed,
  isReadable,
  isSealed,
  learnChannels,
  openAnswer,
  sealCall,
  unlock,
} from '../../../../node/web/page/sealed.ts'

/** What a page does with what is sealed, without a browser around it. */

const SEALED = new URL('../../../../node/web/page/sealed.ts', import.meta.url).href
const WORDS = 'correct horse battery staple'
const NODE = { node: 'node-1', run: 'node-1#0123456789abcdef' }
const NONCE = 'AAECAwQFBgcICQoLDA0ODw'
const PLACE: PlaceInChannel = { kind: 'event', ...NODE, about: 'door' }
const key = ChannelKey.ofNow({ channel: 'kitchen', domain: 'fridge.example' }, WORDS)

function box(sequence: number, values: unknown[], by = key): unknown[] {
  const sealed = by.seal(PLACE, sequence, values)
  return [sealed.epoch, sealed.box, sequence]
}

/** A connection begins, as on a page that was just opened. */
function begin(nonce?: string): void {
  beginSealed({ ...NODE, nonce })
  learnChannels([{ name: 'door', sealed: key.info }, { name: 'air' }])
}

async function hear(values: readonly unknown[]): Promise<unknown[]> {
  const told: unknown[] = []
  await hearSealed('door', values, said => void told.push(said))
  return told
}

const CLOSED = ['unavailable', 'sealed: type its passphrase']
const ALTERED = ['unavailable', 'sealed: it was altered on its way']

test.serial('a page shows nothing of a sealed sensor until its passphrase is typed', async t => {
  begin()
  t.true(isSealed('door') && !isSealed('air'))
  t.true(isReadable('air') && !isReadable('door'))
  const told: unknown[] = []
  await hearSealed('door', box(1, ['open', 7]), said => void told.push(said))
  t.deepEqual(told, [CLOSED])
  await unlock('kitchen', 'correct horse battery stapler')
  t.deepEqual(channels.value, [{ channel: 'kitchen', is: 'wrong' }])
  t.deepEqual(told, [CLOSED])
  await unlock('kitchen', ` ${WORDS}\n`)
  t.deepEqual(channels.value, [{ channel: 'kitchen', is: 'open' }])
  t.deepEqual(told, [CLOSED, ['open', 7]])
  t.true(isReadable('door'))
})

test.serial('what was altered, moved or comes again is no news to a page', async t => {
  begin()
  t.deepEqual(await hear(box(5, ['close', 8])), [['close', 8]])
  t.deepEqual(await hear(box(3, ['open', 7])), [])
  const [epoch, text] = box(6, ['open', 9]) as [string, string]
  t.deepEqual(await hear([epoch, text, 7]), [ALTERED])
  t.deepEqual(await hear([epoch, `A${text.slice(1)}`, 6]), [ALTERED])
  for (const malformed of [[], [epoch, text], [epoch, text, 1.5], [epoch, `${text}=`, 6]]) {
    t.deepEqual(await hear(malformed), [])
  }
  t.deepEqual(await hear([epoch, text, 6]), [['open', 9]])
})

test.serial('a page asks for the passphrase again when it has changed', async t => {
  begin()
  const { channel, domain } = key.info
  const next = ChannelKey.ofNow({ channel, domain }, 'another horse battery staple')
  t.deepEqual(await hear(box(8, ['open', 9], next)), [CLOSED])
  t.deepEqual(channels.value, [{ channel: 'kitchen', is: 'changed' }])
  await unlock('kitchen', WORDS)
  t.deepEqual(channels.value, [{ channel: 'kitchen', is: 'wrong' }])
  await unlock('kitchen', 'another horse battery staple')
  t.deepEqual(await hear(box(9, ['close', 9], next)), [['close', 9]])
  await hear(box(10, ['open', 9]))
  await unlock('kitchen', WORDS)
})

test.serial(
  'calls are sealed one after the other, and one that was refused leaves a gap',
  async t => {
    begin(NONCE)
    const about = { ...NODE, about: NONCE }
    const taken: number[] = []
    let refusals = 1
    const emit = async (event: unknown, channel: unknown, count: unknown, text: unknown) => {
      if (event !== 'sealed' || channel !== 'kitchen') throw new Error('in clear')
      if (taken.length === 1 && refusals-- > 0) throw new Error('too many calls at once')
      taken.push(count as number)
      const values = key.open({ kind: 'command', ...about }, count as number, text as string)
      return key.seal({ kind: 'answer', ...about }, count as number, [{ value: values }])
    }
    const calls = [1, 2, 3].map(async number => sealCall(['defrost', number], emit as never))
    const [first, second, third] = await Promise.allSettled(calls)
    t.deepEqual(first?.status === 'fulfilled' && first.value, ['defrost', 1])
    t.is(second?.status, 'rejected')
    t.deepEqual(third?.status === 'fulfilled' && third.value, ['defrost', 3])
    t.is((taken[1] ?? 0) - (taken[0] ?? 0), 2)
    const forged = async (): Promise<unknown> => ({ box: 'AAAA' })
    await t.throwsAsync(sealCall(['defrost'], forged), {
      message: 'the answer was altered on its way',
    })
  },
)

test.serial(
  'attack: no two calls of a page are sealed with one number under one key, whatever it is answered',
  async t => {
    const numbers: unknown[] = []
    const refuse = async (_event: string, _channel: unknown, number: unknown): Promise<never> => {
      numbers.push(number)
      throw new Error('refused')
    }
    // Who carries the page's connection ends it, and shows the same run and nonce again.
    for (let connection = 0; connection < 2; connection += 1) {
      begin(NONCE)
      await t.throwsAsync(sealCall(['defrost'], refuse))
      await t.throwsAsync(sealCall(['setTargetTemperature', 9], refuse))
    }
    t.is(new Set(numbers).size, 4)
    // A page that is loaded anew knows nothing of the one before.
    const again = (await import(`${SEALED}?anew`)) as typeof SealedPage
    again.beginSealed({ ...NODE, nonce: NONCE })
    again.learnChannels([{ name: 'door', sealed: key.info }])
    await again.unlock('kitchen', WORDS)
    await t.throwsAsync(again.sealCall(['defrost'], refuse))
    t.is(new Set(numbers).size, 5)
  },
)

test.serial(
  'a page of a history is opened for the question that was asked, and no other',
  async t => {
    begin()
    const asked = { sensor: 'door', table: 'events', from: 1, to: 2, after: null }
    const about = historyPlace(asked, 'salt')
    const sealed = key.seal({ kind: 'history', ...NODE, about }, 1, [[[1, 2]], 5])
    const answer = {
      kind: 'door',
      rows: [],
      next: null,
      sealed: { ...key.info, ...sealed, salt: 'salt' },
    }
    t.like(await openAnswer([asked], answer), { kind: 'door', rows: [[1, 2]], next: 5 })
    await t.throwsAsync(openAnswer([{ ...asked, to: 3 }], answer), { message: ALTERED[1] ?? '' })
    t.is(await openAnswer(['alarms'], 'anything else'), 'anything else')
  },
)
