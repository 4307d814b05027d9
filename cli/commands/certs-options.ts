import { readFile } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import { KEY_TYPES, type KeyType } from '../../node/authority/key-type.ts'
import type { PairFiles } from '../../node/authority/key-store.ts'
import type { CertificateReport } from '../../node/authority/inspect.ts'
import { MAX_DAYS } from '../../node/authority/validity.ts'
import { shellWord } from '../../node/lib/shell-word.ts'
import { errorCode, errorMessage, FridgeError } from '../../node/lib/errors.ts'
import type { CommandIo } from '../io.ts'

/** What every command takes that works on a certificate folder. */
export interface FolderOptions {
  readonly certs?: string | undefined
}

/** The certificate folder: `--certs`, else `FRIDGE_CERTS`, else `./certs`; absolute. */
export function certificateFolder(
  { certs }: FolderOptions,
  io: Pick<CommandIo, 'cwd' | 'env'>,
): string {
  return resolve(io.cwd, certs ?? io.env['FRIDGE_CERTS'] ?? 'certs')
}

/** What to add to a suggested command so that it finds the same folder. */
export function folderFlag({ certs }: FolderOptions): string {
  // From the environment or by default it is found again by itself.
  return certs === undefined ? '' : ` --certs ${shellWord(certs)}`
}

/** @throws FridgeError `ERR_USAGE` */
export function parseDays(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const days = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (days >= 1 && days <= MAX_DAYS) return days
  throw new FridgeError('ERR_USAGE', `--days ${JSON.stringify(text)} is not a number of days`, {
    fix: `use 1 to ${MAX_DAYS}, for example --days 90`,
  })
}

/** @throws FridgeError `ERR_USAGE` */
export function parseKeyType(text: string | undefined): KeyType | undefined {
  if (text === undefined) return undefined
  const known = KEY_TYPES.find(type => type === text)
  if (known !== undefined) return known
  throw new FridgeError('ERR_USAGE', `--key-type ${JSON.stringify(text)} is unknown`, {
    fix: `use one of ${KEY_TYPES.join(', ')}`,
  })
}

/** Who a certificate is of, its key, its end and its hosts, in a line. */
export function reportHeading(report: CertificateReport): string {
  const who = report.name === null ? report.role : `${report.role} ${report.name}`
  const hosts = report.hosts.length === 0 ? '' : `, for ${report.hosts.join(', ')}`
  return `${who} (${report.keyType}, until ${report.notAfter.slice(0, 10)}${hosts})`
}

/** A pair that was just written, as lines for a person. */
export function pairLines(files: PairFiles, report: CertificateReport, cwd: string): string[] {
  return [
    reportHeading(report),
    `  ${shownPath(files.keyFile, cwd)}`,
    `  ${shownPath(files.certificateFile, cwd)}`,
  ]
}

/** A path below the current folder is shown from there. */
export function shownPath(file: string, cwd: string): string {
  const from = relative(cwd, file)
  return from === '' || from.startsWith('..') || isAbsolute(from) ? file : from
}

/** The greatest file that is read here, in characters. */
const MAX_SIZE = 65_536

/**
 * A text that somebody names.
 * @param what what it is, in an error
 * @throws FridgeError `ERR_KEY_FILE`, with `fix`
 */
export async function readSmallFile(path: string, what: string, fix: string): Promise<string> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const why = errorCode(cause) === 'ENOENT' ? `there is no ${path}` : errorMessage(cause)
    throw new FridgeError('ERR_KEY_FILE', `${what} cannot be read: ${why}`, { cause, fix })
  }
  if (text.length <= MAX_SIZE) return text
  throw new FridgeError('ERR_KEY_FILE', `${what} is too large`, { fix })
}
