import test from 'ava'
import { testChangeStore } from './change-store-suite.ts'
import { MemoryStore } from './memory-store.ts'

testChangeStore(test, 'in memory', () => {
  const store = new MemoryStore()
  return { store, readBack: () => store }
})
