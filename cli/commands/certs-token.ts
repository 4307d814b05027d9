import { randomBytes } from 'node:crypto'
import { formatToken, pinOf } from '../../node/enrolment/token.ts'
import { isSelfSigned, parseCertificates } from '../../node/identity/certificate-chain.ts'
import { errorCode, FridgeError } from '../../node/lib/errors.ts'
import { MAX_TOKEN_MS, tokenDigest, type TokenReport } from '../../node/operators/tokens.ts'
import { formatDuration, parseDuration } from '../duration.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import type { Name } from '../../node/identity/names.ts'
import { parseTokenReport, unreadable } from '../../node/client/operator/answers.ts'
import { OperatorConnection } from '../../node/client/operator/operator-connection.ts'
import { targetCredentials, targetNodes, type TargetOptions } from '../target.ts'
import { parseHolder } from './certs-issue.ts'

export interface CertsTokenOptions extends TargetOptions {
  readonly expiresIn?: string | undefined
}

const DEFAULT_EXPIRY = '1h'

/**
 * Have a node wait for a client, and print what the client shows there, once.
 * @throws FridgeError `ERR_USAGE`, `ERR_COMMAND` where the node issues nothing, and as any operator
 */
export async function runCertsToken(
  role: string,
  nameText: string,
  options: CertsTokenOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const { name } = parseHolder(role, nameText, 'token')
  if (role !== 'client') {
    throw new FridgeError(
      'ERR_USAGE',
      `a token is for a client, not for ${role === 'operator' ? 'an' : 'a'} ${role}`,
      {
        fix: `make its key there: fridge certs request ${role} ${name}`,
      },
    )
  }
  const forMs = parseDuration(options.expiresIn ?? DEFAULT_EXPIRY)
  if (forMs > MAX_TOKEN_MS) {
    throw new FridgeError('ERR_USAGE', `a token waits ${formatDuration(MAX_TOKEN_MS)} at most`, {
      fix: 'write --expires-in 1h',
    })
  }
  const credentials = await targetCredentials(options, 'operator', io)
  const root = parseCertificates(credentials.ca, credentials.files.caFile).find(isSelfSigned)
  if (root === undefined) {
    throw new FridgeError('ERR_CERTIFICATE', `${credentials.files.caFile} holds no root`)
  }
  await using operator = await OperatorConnection.connect(targetNodes(options, io), credentials, io)
  const secret = randomBytes(16).toString('base64url')
  const expiresAt = io.clock.now() + forMs
  const { port } = await register(operator, [name, tokenDigest(secret), expiresAt])
  const token = formatToken({ pin: pinOf(root), secret, name })
  if (options.json === true) {
    io.out(JSON.stringify({ token, name, node: operator.node, port, expiresAt }))
    return EXIT.done
  }
  io.out(token)
  io.err(`good once, for ${formatDuration(forMs)}, at ${operator.node}, port ${port}`)
  io.err(`Next, there: fridge certs enroll --node HOST:${port} --token-file FILE`)
  io.err(`and, if it is not let in yet: fridge whitelist add ${name}`)
  return EXIT.done
}

/** Have a node wait for whoever brings the secret of which it is told the hash. */
async function register(
  operator: OperatorConnection,
  values: readonly [name: Name, digest: string, expiresAt: number],
): Promise<TokenReport> {
  const answer = await operator.ask('token', values).catch((cause: unknown) => {
    if (errorCode(cause) !== 'ERR_COMMAND') throw cause
    throw new FridgeError('ERR_COMMAND', `${operator.node} issues no certificates`, {
      cause,
      fix: `where the authority is: fridge certs issuing-key ${operator.node}, then enrolment.listen in its configuration; or name another node`,
    })
  })
  const report = parseTokenReport(answer)
  if (typeof report === 'string') throw unreadable(operator.node, 'token', report)
  return report
}
