/** Put back what a map held under a key before: `undefined` where it held nothing. */
export function restore<Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  value: Value | undefined,
): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}
