import { testChangeStore } from './change-store-suite.ts'
import { MemoryStore } from './memory-store.ts'

testChangeStore('in memory', () => {
  const store = new MemoryStore()
  return { store, readBack: () => store }
})
