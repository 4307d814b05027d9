import test from 'ava'
import { ChannelKey } from '../../node/seal/channel-key.ts'
import { ChannelOpener } from '../../node/seal/channel-opener.ts'
import type { SealedKind } from '../../node/seal/format.ts'
import { readProtocol, untriedOf } from '../vectors/parts.ts'

/** PROTOCOL.md against the code, on what is sealed: of nodes, and of pages. */

const vectors = readProtocol()

const { passphrase, epoch, node, run, ...name } = vectors.json('seal-channel') as Record<
  'passphrase' | 'channel' | 'domain' | 'epoch' | 'node' | 'run',
  string
>
const boxes = vectors.json('seal-boxes') as {
  kind: SealedKind
  about: string
  sequence: number
  box: string
  opens: unknown[] | null
}[]

const key = await ChannelKey.of(name, passphrase)
const opener = await ChannelOpener.of(name, passphrase)

test('nodes and pages call the passphrase of the page by the same epoch', t => {
  t.deepEqual([key.info.epoch, opener.info.epoch], [epoch, epoch])
})

test('nodes and pages open what the page says, and nothing else', async t => {
  for (const { kind, about, sequence, box, opens } of boxes) {
    const place = { kind, node, run, about }
    t.deepEqual(key.open(place, sequence, box) ?? null, opens)
    t.deepEqual((await opener.open(place, sequence, box)) ?? null, opens)
  }
})

test('nodes and pages seal as the page says, to the byte', async t => {
  for (const { kind, about, sequence, box, opens } of boxes) {
    if (opens === null) continue
    const place = { kind, node, run, about }
    t.is(key.seal(place, sequence, opens).box, box)
    t.is(await opener.seal(place, sequence, opens), box)
  }
})

test('every vector of this part is tried', t => {
  t.deepEqual(untriedOf('seal', vectors), [])
})
