import test from 'ava'
import { FridgeError } from '../../node/lib/errors.ts'
import { testChangeStore } from '../support/change-store-suite.ts'
import { revocationsOf, testSource } from '../support/replica-changes.ts'
import { SimulatedDisk } from './simulated-disk.ts'

const cannotWrite = { instanceOf: FridgeError, code: 'ERR_DATABASE' }

testChangeStore(test, 'on a simulated disk', () => {
  const store = new SimulatedDisk().open()
  return { store, readBack: () => store }
})

testChangeStore(test, 'on a simulated disk, after the death of its node', () => {
  const disk = new SimulatedDisk()
  return { store: disk.open(), readBack: () => disk.open() }
})

testChangeStore(test, 'on a simulated disk, restored from a backup', () => {
  const disk = new SimulatedDisk()
  const readBack = () => {
    const restored = new SimulatedDisk()
    restored.restore(disk.backup())
    return restored.open()
  }
  return { store: disk.open(), readBack }
})

test('a full simulated disk takes nothing, neither at once nor for later', t => {
  const disk = new SimulatedDisk()
  const store = disk.open()
  const entries = revocationsOf(testSource('alpha'), 2)
  store.append(entries.slice(0, 1))
  disk.isFull = true
  t.throws(() => store.append(entries.slice(1)), cannotWrite)
  t.deepEqual([...store.after(new Map())], entries.slice(0, 1))
  disk.isFull = false
  t.deepEqual([...disk.open().after(new Map())], entries.slice(0, 1))
})

test('what a dead node writes does not reach the simulated disk', t => {
  const disk = new SimulatedDisk()
  const dead = disk.open()
  const store = disk.open()
  t.throws(() => dead.append(revocationsOf(testSource('alpha'), 1)), cannotWrite)
  t.deepEqual([...store.after(new Map())], [])
})
