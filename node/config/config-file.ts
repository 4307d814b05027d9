import { open } from 'node:fs/promises'
import { LineCounter, isMap, isScalar, isSeq, parseDocument, type Document } from 'yaml'

import { FridgeError, errorCode, errorMessage } from '../lib/errors.ts'
import { describe } from './shown-value.ts'

/** The largest configuration file, in bytes. A cluster of a thousand peers needs a tenth of it. */
const MAX_CONFIG_BYTES = 256 * 1024
/** YAML aliases resolved before a file is refused ("billion laughs"). */
const MAX_ALIASES = 100

/** Where something stands in a configuration: keys and indexes from the top. */
export type ConfigPath = readonly PropertyKey[]

/** A configuration file, read but not yet checked against a schema. */
export interface ConfigFile {
  readonly values: Readonly<Record<string, unknown>>
  /** `FILE:LINE:COLUMN` of the key or item at `path`, or of what holds it. */
  locate(path: ConfigPath): string
}

/**
 * Read one YAML 1.2 file (JSON is a part of it) whose top is a mapping; an empty file is an
 * empty mapping. Duplicate keys, unknown tags and more than one document are refused.
 * @param file how messages call it
 * @throws FridgeError `ERR_CONFIG`
 */
export async function readConfigFile(path: string, file = path): Promise<ConfigFile> {
  const lines = new LineCounter()
  const text = await readText(path, file)
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  let document: Document
  let values: unknown
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
    const fault = document.errors[0] ?? document.warnings[0]
    if (fault !== undefined) throw refused(`${at(fault.pos[0])}: ${reasonOf(fault)}`)
    values = document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    // Thousands of nested brackets overflow the parser's stack; aliases past the cap throw.
    throw error instanceof FridgeError ? error : refused(`${file}: ${reasonOf(error)}`, error)
  }
  if (values !== null && !isMap(document.contents)) {
    throw refused(`${at(0)}: found ${describe(values)} where "key: value" lines are expected`)
  }
  // A key whose values are all commented out says nothing.
  const said = Object.entries(values ?? {}).filter(([, value]) => value !== null)
  return {
    values: Object.fromEntries(said),
    locate: path => {
      const offset = offsetOf(document.contents, path)
      return offset === undefined ? file : at(offset)
    },
  }
}

async function readText(path: string, file: string): Promise<string> {
  try {
    await using handle = await open(path)
    // Not `readFile`: the cap holds for devices and pipes too, whose size says nothing.
    const chunks: Buffer[] = []
    let total = 0
    for await (const chunk of handle.createReadStream({
      end: MAX_CONFIG_BYTES,
    }) as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      total += chunk.length
    }
    if (total > MAX_CONFIG_BYTES) {
      throw refused(`${file} is larger than ${MAX_CONFIG_BYTES} bytes`)
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (error) {
    if (error instanceof FridgeError) throw error
    const code = errorCode(error)
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'it is a folder'
          : code === 'EACCES'
            ? 'this user may not read it'
            : code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
              ? 'it is not UTF-8 text'
              : errorMessage(error)
    throw new FridgeError('ERR_CONFIG', `cannot read the configuration ${file}: ${why}`, {
      cause: error,
      fix: 'name a readable YAML or JSON file: fridge node start --config FILE',
    })
  }
}

/** Why the parser stopped, where its own words would not help a person. */
function reasonOf(error: unknown): string {
  const message = errorMessage(error)
  if (errorCode(error) === 'MULTIPLE_DOCS') return 'a second document starts: one file, one node'
  if (errorCode(error) === 'DUPLICATE_KEY') return 'this key stands twice in its group'
  if (message.includes('call stack')) return 'nested too deeply'
  if (message.includes('alias count')) return `more than ${MAX_ALIASES} values through aliases`
  return message
}

function refused(message: string, cause?: unknown): FridgeError {
  return new FridgeError('ERR_CONFIG', message, { cause, fix: 'correct the configuration file' })
}

/** The offset of the last key or item of `path` that the document has. */
function offsetOf(node: unknown, path: ConfigPath): number | undefined {
  let offset: number | undefined
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
      if (pair === undefined || !isScalar(pair.key)) break
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      const item = node.items[step]
      const range =
        typeof item === 'object' && item !== null && 'range' in item ? item.range : undefined
      if (Array.isArray(range)) offset = Number(range[0])
      node = item
    } else break
  }
  return offset
}
