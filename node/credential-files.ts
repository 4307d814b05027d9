import { join } from 'node:path'
import type { Name, Role } from './names.ts'

/** Where credentials lie on disk. */
export interface CredentialFiles {
  readonly keyFile: string
  readonly certificateFile: string
  /** The bundle of authorities, and it alone, decides who is trusted. */
  readonly caFile: string
}

const KEY_FILE = 'private-key.pem'
const CERTIFICATE_FILE = 'certificate.pem'

/** Where the authority of a certificate folder lies: `DIR/ca/{private-key,certificate}.pem`. */
export function authorityFiles(dir: string): Omit<CredentialFiles, 'caFile'> {
  const folder = join(dir, 'ca')
  return { keyFile: join(folder, KEY_FILE), certificateFile: join(folder, CERTIFICATE_FILE) }
}

/** Where one identity lies: `DIR/<role>s/NAME/{private-key,certificate}.pem`. Stable. */
export function credentialFiles(dir: string, role: Role, name: Name): CredentialFiles {
  const folder = join(dir, `${role}s`, name)
  return {
    keyFile: join(folder, KEY_FILE),
    certificateFile: join(folder, CERTIFICATE_FILE),
    caFile: authorityFiles(dir).certificateFile,
  }
}

/** A word as a person can paste it into a shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
