import { basename, dirname, join } from 'node:path'
import { assertReplaceable, writePair } from '../../node/authority/key-store.ts'
import { createRequest } from '../../node/authority/request.ts'
import { credentialFiles } from '../../node/identity/credential-files.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { newPassphrase } from '../passphrase.ts'
import { parseHolder } from './certs-issue.ts'
import { certificateFolder, parseKeyType, shownPath, type FolderOptions } from './certs-options.ts'

export interface CertsRequestOptions extends FolderOptions {
  readonly host?: readonly string[] | undefined
  readonly keyType?: string | undefined
  /** Lock the key with a passphrase: of an operator, since a device has nobody to ask. */
  readonly encrypt?: boolean | undefined
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/**
 * Make a key that stays here, and a request for a certificate that goes to the authority's machine.
 * @throws FridgeError `ERR_USAGE`, `ERR_FILE_EXISTS`, `ERR_KEY_FILE`
 */
export async function runCertsRequest(
  roleText: string,
  nameText: string,
  options: CertsRequestOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { role, name } = parseHolder(roleText, nameText, 'request')
  const keyType = parseKeyType(options.keyType)
  const force = options.force === true
  const files = credentialFiles(certificateFolder(options, io), role, name)
  const requestFile = requestFileOf(files.keyFile)
  if (options.encrypt === true && role !== 'operator') {
    throw new FridgeError(
      'ERR_USAGE',
      `the key of a ${role} cannot be locked: nobody is there to open it`,
      {
        fix: 'leave --encrypt out',
      },
    )
  }
  await assertReplaceable(files, { force })
  const passphrase = options.encrypt === true ? await newPassphrase(io) : undefined
  const { key, request } = await createRequest(
    { role, name, hosts: options.host ?? [] },
    keyType,
    passphrase,
  )
  const written = { keyFile: files.keyFile, certificateFile: requestFile }
  await writePair(written, { key, certificate: request }, { force })
  if (options.json === true) {
    io.out(JSON.stringify({ role, name, keyFile: files.keyFile, requestFile }))
    return EXIT.done
  }
  const shown = shownPath(requestFile, io.cwd)
  io.out(`${role} ${name}: the key stays here, the request goes to the authority's machine`)
  io.out(`  ${shownPath(files.keyFile, io.cwd)}`)
  io.out(`  ${shown}`)
  io.out(`Next, where the authority is: fridge certs sign ${basename(shown)}`)
  return EXIT.done
}

/** Beside the key that it is for. */
export function requestFileOf(keyFile: string): string {
  return join(dirname(keyFile), 'request.pem')
}
