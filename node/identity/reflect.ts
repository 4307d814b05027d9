/**
 * The three functions of the metadata proposal that the dependency injection below
 * `@peculiar/x509` asks for while it loads. It refuses to load without them, and only its
 * constructors' parameter lists pass through here. A full polyfill that was loaded before is
 * left alone; one that is loaded later replaces these.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>()

function getOwnMetadata(key: unknown, target: object): unknown {
  return metadata.get(target)?.get(key)
}

function getMetadata(key: unknown, target: object): unknown {
  for (
    let at: object | null = target;
    at !== null;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    const value = getOwnMetadata(key, at)
    if (value !== undefined) return value
  }
  return undefined
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const known = metadata.get(target) ?? new Map<unknown, unknown>()
  metadata.set(target, known.set(key, value))
}

if (!('getMetadata' in Reflect)) {
  for (const method of [getOwnMetadata, getMetadata, defineMetadata]) {
    Object.defineProperty(Reflect, method.name, {
      value: method,
      configurable: true,
      writable: true,
    })
  }
}
