import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { inspectCertificates, reportLines } from '../../node/authority/inspect.ts'
import { errorCode, errorMessage, FridgeError } from '../../node/lib/errors.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'

export interface CertsInspectOptions {
  readonly json?: boolean | undefined
}

/** The greatest file that is read: a bundle of some hundred authorities is below it. */
const MAX_BYTES = 4 * 1024 * 1024

/**
 * Say what stands in a certificate file, and what is wrong with it.
 * @returns 1 when there is a warning
 * @throws FridgeError `ERR_KEY_FILE` when it cannot be read, `ERR_CERTIFICATE` when it is none
 */
export async function runCertsInspect(
  file: string,
  options: CertsInspectOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const pem = await readPem(resolve(io.cwd, file), file)
  const certificates = inspectCertificates(pem, file, io.clock.now())
  if (options.json === true) io.out(JSON.stringify({ certificates }))
  else for (const report of certificates) for (const line of reportLines(report)) io.out(line)
  return certificates.some(({ warnings }) => warnings.length > 0) ? EXIT.notDone : EXIT.done
}

async function readPem(path: string, file: string): Promise<string> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const why = errorCode(cause) === 'ENOENT' ? 'there is no such file' : errorMessage(cause)
    throw new FridgeError('ERR_KEY_FILE', `${file} cannot be read: ${why}`, {
      cause,
      fix: 'name a certificate file, for example certs/ca/certificate.pem',
    })
  }
  if (text.length <= MAX_BYTES) return text
  throw new FridgeError('ERR_CERTIFICATE', `${file} is too large to hold certificates`)
}
