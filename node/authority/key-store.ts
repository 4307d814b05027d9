import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { authorityFiles, unreadable, type CredentialFiles } from '../identity/credential-files.ts'
import { shellWord } from '../lib/shell-word.ts'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import { isLocked, type AskPassphrase } from '../identity/private-key.ts'
import { openAuthority, type Authority, type KeyPair } from './authority.ts'

/** A key and its certificate, in one folder. */
export type PairFiles = Pick<CredentialFiles, 'keyFile' | 'certificateFile'>

export interface WriteOptions {
  /** Replace what is there. Default: refuse. */
  readonly force?: boolean
  /** What a person should do about a file that is there already. */
  readonly fix?: string
}

const PRIVATE_FOLDER = 0o700
const PRIVATE_FILE = 0o600
const PUBLIC_FILE = 0o644

/**
 * Read the authority of a certificate folder.
 * @param ask opens its key where that is locked
 * @throws FridgeError `ERR_KEY_FILE` or `ERR_CERTIFICATE`
 */
export async function readAuthority(dir: string, ask?: AskPassphrase): Promise<Authority> {
  const { keyFile, certificateFile } = authorityFiles(dir)
  const read = async (file: string): Promise<string> => {
    try {
      return await readFile(file, 'utf8')
    } catch (cause) {
      const missing = errorCode(cause) === 'ENOENT'
      const why = missing
        ? `there is no ${file}`
        : `${file} cannot be read (${errorMessage(cause)})`
      throw new FridgeError('ERR_KEY_FILE', `no certificate can be issued: ${why}`, {
        cause,
        fix: missing
          ? await withoutAuthority(dir)
          : `run as the user who owns it: ls -l ${shellWord(file)}`,
      })
    }
  }
  const [key, certificate] = await Promise.all([read(keyFile), read(certificateFile)])
  const passphrase = isLocked(key) ? await ask?.(keyFile) : undefined
  return openAuthority({ key, certificate }, certificateFile, passphrase)
}

async function withoutAuthority(dir: string): Promise<string> {
  const { keyFile, certificateFile } = authorityFiles(dir)
  // Another authority would be one that no node of this cluster trusts.
  return (await exists(certificateFile)) && !(await exists(keyFile))
    ? 'do it where the key of the authority is; or here: fridge certs request ROLE NAME, and have that signed there'
    : `fridge certs init --certs ${shellWord(dir)}, or name another folder with --certs`
}

/**
 * Refuse before any work when a pair is there and may not be replaced.
 * @throws FridgeError `ERR_FILE_EXISTS`
 */
export async function assertReplaceable(
  files: PairFiles,
  { force = false, fix }: WriteOptions = {},
): Promise<void> {
  if (force) return
  for (const file of [files.keyFile, files.certificateFile]) {
    if (await exists(file)) throw alreadyThere(file, fix)
  }
}

/**
 * Write a key and its certificate so that both are there or neither is. Each is written beside
 * its place, flushed, and then moved; what was there before comes back when the second move
 * fails. Folders that are made are open to their owner only, and so is the key.
 * @throws FridgeError `ERR_FILE_EXISTS` without `force`, `ERR_KEY_FILE` when the disk refuses
 */
export async function writePair(
  files: PairFiles,
  pair: KeyPair,
  { force = false, fix }: WriteOptions = {},
): Promise<void> {
  const { keyFile, certificateFile } = files
  const folder = dirname(keyFile)
  const undo: (() => Promise<unknown>)[] = []
  const leftOver: string[] = []
  try {
    const made = await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER })
    const staged = [
      // The certificate first: if the power fails in between, no key stands without one.
      { file: certificateFile, text: pair.certificate, mode: PUBLIC_FILE },
      { file: keyFile, text: pair.key, mode: PRIVATE_FILE },
    ].map(entry => ({ ...entry, beside: besides(entry.file) }))
    for (const { beside, text, mode } of staged) {
      leftOver.push(beside)
      await writeFlushed(beside, text, mode)
    }
    for (const { beside, file } of staged) {
      if (force) {
        const kept = besides(file)
        if (await keep(file, kept)) {
          leftOver.push(kept)
          undo.push(() => rename(kept, file))
        } else {
          undo.push(() => rm(file))
        }
        await rename(beside, file)
      } else {
        // Unlike rename, link never replaces: two who issue the same name at once cannot both win.
        await link(beside, file)
        undo.push(() => rm(file))
      }
    }
    await flushFolders(folder, made === undefined ? folder : dirname(made))
  } catch (cause) {
    for (const step of undo.reverse()) await step().catch(() => undefined)
    if (errorCode(cause) === 'EEXIST') throw alreadyThere(folder, fix)
    throw new FridgeError('ERR_KEY_FILE', `${folder} cannot be written: ${errorMessage(cause)}`, {
      cause,
      fix: `make room or give yourself the right to write there: ls -ld ${shellWord(folder)}`,
    })
  } finally {
    for (const file of leftOver) await rm(file, { force: true }).catch(() => undefined)
  }
}

/**
 * Replace one file that anybody may read, or make it: whoever reads it sees the old text or the new.
 * @throws FridgeError `ERR_KEY_FILE` when the disk refuses
 */
export async function writePublicFile(file: string, text: string): Promise<void> {
  const folder = dirname(file)
  const beside = besides(file)
  try {
    await writeFlushed(beside, text, PUBLIC_FILE)
    await rename(beside, file)
    await flushFolders(folder, folder)
  } catch (cause) {
    await rm(beside, { force: true }).catch(() => undefined)
    throw new FridgeError('ERR_KEY_FILE', `${file} cannot be written: ${errorMessage(cause)}`, {
      cause,
      fix: `make room or give yourself the right to write there: ls -ld ${shellWord(folder)}`,
    })
  }
}

function besides(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}.tmp`
}

async function writeFlushed(file: string, text: string, mode: number): Promise<void> {
  // Exclusive: a link that someone laid at this name is not followed.
  await using handle = await open(file, 'wx', mode)
  await handle.writeFile(text)
  // The process's mask may have taken bits away, and it must never add any.
  await handle.chmod(mode)
  await handle.sync()
}

/** Give the present file a second name. @returns whether there was one */
async function keep(file: string, kept: string): Promise<boolean> {
  try {
    await link(file, kept)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

/** Flush a folder and those above it: a folder that was just made stands only in the one above. */
async function flushFolders(from: string, to: string): Promise<void> {
  for (let at = from; ; at = dirname(at)) {
    await using handle = await open(at, 'r')
    await handle.sync()
    if (at === to || at === dirname(at)) return
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw unreadable(file, error)
  }
}

function alreadyThere(
  file: string,
  fix = 'to replace the key and the certificate, add --force',
): FridgeError {
  return new FridgeError('ERR_FILE_EXISTS', `${file} is there already and was left as it is`, {
    fix,
  })
}
