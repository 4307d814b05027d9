import { once } from 'node:events'
import test from 'ava'
import { makeSharedCerts, startCluster, type Cluster } from '../support/cluster.ts'
import { calling, connectRaw, opening, type RawPeer } from '../support/raw-peer.ts'
import { METRICS_ON, scrape } from '../support/scrape.ts'

/** Clients that stop reading, over real TLS. */

const shared = await makeSharedCerts()
const { certs } = shared
const [c1, c2] = await Promise.all([certs.load('client', 'c1'), certs.load('client', 'c2')])
test.after.always(() => shared.remove())

const RPC = 'a1'

/**
 * More bytes than fit into the buffers of both systems may wait for a client; it may call at will.
 * No deadline is near: how long a busy machine takes to fill the buffers is not what is tested.
 */
const LIMITS = {
  maxBufferedBytes: 67_108_864,
  maxFramesPerSecond: 1_000_000,
  maxStalledMs: 3_600_000,
}

/** Read nothing more, and call until the answers fill all buffers on the way: `isFull`. */
async function stall(
  { socket, closed, ...peer }: RawPeer,
  witness: RawPeer,
  isFull: () => Promise<boolean>,
): Promise<void> {
  peer.frames(opening(RPC, 'rpc'))
  await peer.stream('temperature')
  socket.pause()
  for (let first = 0; !(await isFull()); first += 5_000) {
    peer.frames(...Array.from({ length: 5_000 }, (_, index) => calling(RPC, first + index)))
    if (socket.writableLength > 0) await Promise.race([once(socket, 'drain'), closed])
    await witness.lines.find(/reading/, witness.lines.all.length)
  }
}

/** Readings that a slow client was not sent: there are some once the buffers on its way are full. */
async function countConflated(cluster: Cluster): Promise<number> {
  return (await scrape(cluster.node(1))).of('fridge_fan_out_conflated_total')
}

/** The numbers of the events on a stream of `fridge/1`, as they came. */
function numbersOn({ lines }: RawPeer, stream: string): number[] {
  return lines.all
    .filter(line => line.startsWith(`["${stream}","data"`))
    .map(line => {
      const [, , text] = JSON.parse(line) as [string, string, string]
      return (JSON.parse(text) as unknown[]).at(-1) as number
    })
}

test.serial(
  'who reads on in time hears every move of the door in order, and sees by the numbers what it missed',
  async t => {
    const config = { ...METRICS_ON, simulation: { readingIntervalMs: 100 }, limits: LIMITS }
    await using cluster = await startCluster(t, { certs, config })
    await cluster.grant(1, 'c1')
    await cluster.grant(1, 'c2')
    const { address } = cluster.node(1)
    const witness = await connectRaw(t, address, c2)
    const slow = await connectRaw(t, address, c1, { alpn: true })
    const [door, temperature] = await Promise.all(
      ['door', 'temperature'].map(async name => slow.stream(name)),
    )
    await stall(slow, witness, async () => (await countConflated(cluster)) > 0)
    const { fridge } = cluster.node(1)
    for (let half = 0; half < 250; half += 1) {
      fridge?.openDoor()
      fridge?.closeDoor()
    }
    slow.socket.resume()
    // The door was closed to begin with.
    await slow.lines.find(/close\\",\d+,501\]/)
    await slow.lines.find(/reading/, slow.lines.all.length)
    const moves = numbersOn(slow, door ?? '')
    t.is(moves.length, 501)
    t.deepEqual(
      moves,
      moves.map((_, index) => (moves[0] ?? 0) + index),
    )
    const readings = numbersOn(slow, temperature ?? '')
    const gaps = readings.map((number, index) => number - (readings[index - 1] ?? number - 1) - 1)
    t.true(gaps.every(gap => gap >= 0))
    t.is(
      gaps.reduce((sum, gap) => sum + gap),
      await countConflated(cluster),
    )
    t.false(slow.socket.destroyed)
  },
)

// One after the other: a farewell is given a second of real time, so not much may wait before it.
test.serial(
  'who does not read on is cut, on fridge/1 with a farewell behind all that it was sent',
  async t => {
    const config = {
      ...METRICS_ON,
      simulation: { readingIntervalMs: 100 },
      limits: { ...LIMITS, maxStalledMs: 2_000 },
    }
    await using cluster = await startCluster(t, { certs, config })
    await cluster.grant(1, 'c1')
    await cluster.grant(1, 'c2')
    const { address } = cluster.node(1)
    const witness = await connectRaw(t, address, c2)
    // Whoever was cut says nothing more, or the reset would take the farewell with it.
    const stallUntilCut = async (peer: RawPeer, subject: string): Promise<void> => {
      let isCut = false
      const cut = cluster.log
        .find(({ text, fields }) => text === 'cut: too slow' && fields['subject'] === subject)
        .then(() => {
          isCut = true
          peer.socket.resume()
        })
      const before = await countConflated(cluster)
      await stall(peer, witness, async () => isCut || (await countConflated(cluster)) > before)
      await cut
      await peer.closed
    }
    const slow = await connectRaw(t, address, c1, { alpn: true })
    await stallUntilCut(slow, 'client/c1')
    await stallUntilCut(await connectRaw(t, address, c2), 'client/c2')
    t.is(slow.failure(), undefined)
    t.regex(slow.lines.all.at(-1) ?? '', /bye.*too slow/)
    t.is((await scrape(cluster.node(1))).of('fridge_connections_cut_total too slow'), 2)
    await witness.lines.find(/reading/, witness.lines.all.length)
  },
)
