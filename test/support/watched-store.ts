import { MemoryStore } from './memory-store.ts'

/** A store that tells when something is about to be written to it. */
export class WatchedStore extends MemoryStore {
  onAppend: () => void = () => {}

  override append(entries: Parameters<MemoryStore['append']>[0]): void {
    this.onAppend()
    super.append(entries)
  }
}
