import { FridgeError } from '../../node/lib/errors.ts'
import {
  displaySubject,
  isAuthor,
  isKeyId,
  parseSubject,
  roleOf,
  type Subject,
} from '../../node/identity/names.ts'
import { misfitOf, readTerms, type Terms } from '../../node/whitelist/terms.ts'
import { checkCommandName, GRANTABLE } from '../command-name.ts'
import { parseDuration } from '../duration.ts'
import type { CommandIo, ExitStatus } from '../io.ts'
import { differences, keepTerms, termsOfAll } from './kept-terms.ts'
import { runChange, type WhitelistChangeOptions } from './whitelist-remove.ts'

export interface WhitelistAddOptions extends WhitelistChangeOptions {
  readonly sensor?: readonly string[]
  readonly command?: readonly string[]
  readonly key?: readonly string[]
  readonly expiresIn?: string
  /** Of an origin: its pages read the sensors before anybody signs in. Default false. */
  readonly public?: boolean
  /** Whether what is not named is allowed, as for a new name, instead of kept. Default false. */
  readonly replace?: boolean
}

/** Exit status: 0 every node has applied it, 1 some have not confirmed it. */
export async function runWhitelistAdd(
  name: string,
  options: WhitelistAddOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  return addSubject(parseSubject(name), options, io)
}

/** Let a client or an origin in, or change what it may. Exit status as above. */
export async function addSubject(
  subject: Subject,
  options: WhitelistAddOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  if (isAuthor(subject)) {
    const role = roleOf(subject)
    throw new FridgeError(
      'ERR_USAGE',
      `${subject} needs no grant, and a revoked ${role} stays out`,
      {
        fix: `give it a new name: fridge certs issue ${role} NAME`,
      },
    )
  }
  const asked = termsOf(options, io)
  return runChange({ kind: 'grant', subject, terms: asked }, options, io, async before => {
    const terms = options.replace === true ? asked : keepTerms(before, asked)
    const misfit = misfitOf(subject, terms)
    if (misfit !== undefined) {
      throw new FridgeError('ERR_USAGE', `${displaySubject(subject)} was not added: ${misfit}`, {
        fix: 'name what everybody may read with --sensor, or leave --public out',
      })
    }
    if (before.standing === 'granted' && options.json !== true)
      for (const line of differences(termsOfAll(before.grants), terms, io.clock.now())) io.out(line)
    return { kind: 'grant', subject, terms }
  })
}

function termsOf(options: WhitelistAddOptions, io: CommandIo): Terms {
  const { sensor, command, key, expiresIn } = options
  for (const name of command ?? []) checkCommandName(name, GRANTABLE)
  const keys = key?.map(text => {
    const id = text.replaceAll(':', '').toLowerCase()
    if (isKeyId(id)) return id
    throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not the SHA-256 of a key`, {
      fix: 'copy it from: fridge certs inspect FILE',
    })
  })
  const terms = readTerms({
    sensors: sensor,
    commands: command,
    keys,
    expiresAt: expiresIn === undefined ? undefined : io.clock.now() + parseDuration(expiresIn),
    public: options.public,
  })
  if (typeof terms === 'string') throw new FridgeError('ERR_USAGE', terms)
  return terms
}
