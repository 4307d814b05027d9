import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { Settling, type SettlingOptions } from '../../../node/gossip/settling.ts'
import type { Subject } from '../../../node/identity/names.ts'
import type { Whitelist } from '../../../node/whitelist/whitelist.ts'
import { client } from '../../support/replica-changes.ts'

/** A list of which so many subjects are still to be looked up. */
class UnsettledList {
  readonly #open: Subject[]
  /** What each look into the log asked for. */
  readonly slices: number[] = []
  fails = false

  constructor(count: number) {
    this.#open = Array.from({ length: count }, (_, index) => client(`client-${index}`))
  }

  get unsettled(): number {
    return this.#open.length
  }

  unsettle(subject: Subject): void {
    this.#open.push(subject)
  }

  settleSome(limit: number): Subject[] {
    if (this.fails) throw new Error('the log cannot be read')
    const settled = this.#open.splice(0, limit)
    this.slices.push(settled.length)
    return settled
  }

  asList(): Whitelist {
    return this as unknown as Whitelist
  }
}

function settle({
  list,
  ...told
}: Pick<SettlingOptions, 'list'> & Partial<SettlingOptions>): Settling {
  const onFailure = (error: unknown): void => {
    throw error
  }
  return new Settling({ list, onSettled: () => {}, onFailure, ...told })
}

test('subjects are looked up in slices, a slice a turn of the loop', async t => {
  const list = new UnsettledList(250)
  const told: number[] = []
  const settling = settle({
    list: () => list.asList(),
    onSettled: subjects => told.push(subjects.length),
  })
  settling.start()
  settling.start()
  t.deepEqual(list.slices, [], 'not in the turn that cuts')
  await nextTurn()
  t.deepEqual(list.slices, [100])
  await settling.settled()
  t.deepEqual(list.slices, [100, 100, 50])
  t.deepEqual(told, list.slices)
})

test('what is to be looked up when the last slice is told waits for no other change', async t => {
  const list = new UnsettledList(1)
  const settling = settle({
    list: () => list.asList(),
    onSettled: subjects => {
      if (subjects[0] !== client('client-0')) return
      list.unsettle(client('late'))
      settling.start()
    },
  })
  settling.start()
  await settling.settled()
  t.is(list.unsettled, 0)
  list.unsettle(client('later'))
  settling.start()
  await settling.settled()
  t.is(list.unsettled, 0)
})

test('a log that cannot be read is told, and tried again with the next change', async t => {
  const list = new UnsettledList(1)
  list.fails = true
  const failures: unknown[] = []
  const settling = settle({
    list: () => list.asList(),
    onFailure: error => failures.push(error),
  })
  settling.start()
  await settling.settled()
  t.is(failures.length, 1)
  t.is(list.unsettled, 1)
  list.fails = false
  settling.start()
  await settling.settled()
  t.is(list.unsettled, 0)
})

test('another list that takes the place of the first one is looked up instead', async t => {
  const [first, second] = [new UnsettledList(150), new UnsettledList(10)]
  let list = first
  const settling = settle({ list: () => list.asList() })
  settling.start()
  await nextTurn()
  list = second
  await settling.settled()
  t.is(first.unsettled, 50)
  t.is(second.unsettled, 0)
})

test('nothing is looked up once it is closed', async t => {
  const list = new UnsettledList(250)
  const settling = settle({ list: () => list.asList() })
  settling.start()
  settling[Symbol.dispose]()
  await settling.settled()
  t.deepEqual(list.slices, [])
})
