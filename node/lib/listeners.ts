/** Let a listener hear of what its set is told, until what is returned is disposed. */
export function subscribeTo<T>(listeners: Set<T>, listener: T): Disposable {
  listeners.add(listener)
  return { [Symbol.dispose]: () => listeners.delete(listener) }
}
