import { FridgeError } from '../node/lib/errors.ts'

/** @throws FridgeError `ERR_USAGE` */
export function oneOf<Known extends string>(
  option: string,
  text: string,
  known: readonly Known[],
): Known {
  const found = known.find(one => one === text)
  if (found !== undefined) return found
  throw new FridgeError('ERR_USAGE', `${option} ${JSON.stringify(text)} is not known`, {
    fix: `use ${known.join(' or ')}`,
  })
}
