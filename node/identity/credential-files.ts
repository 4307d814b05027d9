import { join } from 'node:path'
import { errorCode, errorMessage, FridgeError } from '../lib/errors.ts'
import { shellWord } from '../lib/shell-word.ts'
import type { Name, Role } from './names.ts'

/** Where credentials lie on disk. */
export interface CredentialFiles {
  readonly keyFile: string
  readonly certificateFile: string
  /** The bundle of authorities, and it alone, decides who is trusted. */
  readonly caFile: string
  /**
   * Authorities that were trusted once: for the signatures of old changes only, never for a
   * connection. The file need not be there.
   */
  readonly formerFile?: string
}

const KEY_FILE = 'private-key.pem'
const CERTIFICATE_FILE = 'certificate.pem'
const FORMER_FILE = 'former.pem'
const SUCCESSION_FILE = 'succession.json'

/** Where an authority lies on disk. */
export type AuthorityFiles = Required<
  Pick<CredentialFiles, 'keyFile' | 'certificateFile' | 'formerFile'>
> & {
  /** What authorities have signed about those that take their place. */
  readonly successionFile: string
}

/** Where the authority of a certificate folder lies: `DIR/ca/{private-key,certificate,former}.pem`. */
export function authorityFiles(dir: string): AuthorityFiles {
  const folder = join(dir, 'ca')
  return {
    keyFile: join(folder, KEY_FILE),
    certificateFile: join(folder, CERTIFICATE_FILE),
    formerFile: join(folder, FORMER_FILE),
    successionFile: join(folder, SUCCESSION_FILE),
  }
}

/** Where one identity lies: `DIR/<role>s/NAME/{private-key,certificate}.pem`. Stable. */
export function credentialFiles(dir: string, role: Role, name: Name): Required<CredentialFiles> {
  const folder = join(dir, `${role}s`, name)
  const { certificateFile: caFile, formerFile } = authorityFiles(dir)
  return {
    keyFile: join(folder, KEY_FILE),
    certificateFile: join(folder, CERTIFICATE_FILE),
    caFile,
    formerFile,
  }
}

/**
 * That a key, a certificate or the folder of them cannot be read, and why.
 * @param setting what names the file, where it lies outside of the certificate folder
 */
export function unreadable(file: string, cause: unknown, setting?: string): FridgeError {
  const denied = errorCode(cause) === 'EACCES' || errorCode(cause) === 'EPERM'
  const why = denied ? 'this user may not read it' : (errorCode(cause) ?? errorMessage(cause))
  const what = setting === undefined ? file : `${setting}: ${file}`
  return new FridgeError('ERR_KEY_FILE', `${what} cannot be read: ${why}`, {
    cause,
    fix: `${denied ? 'run as the user who owns it' : 'look what stands there'}: ls -ld ${shellWord(file)}`,
  })
}
