import { FridgeError } from '../../node/lib/errors.ts'
import {
  displaySubject,
  isKeyId,
  parseSubject,
  roleOf,
  type Subject,
} from '../../node/identity/names.ts'
import { readTerms, type Terms } from '../../node/whitelist/change.ts'
import { checkCommandName, GRANTABLE } from '../command-name.ts'
import { parseDuration } from '../duration.ts'
import type { CommandIo, ExitStatus } from '../io.ts'
import { differences, keepTerms, termsOfAll } from './kept-terms.ts'
import { runChanges, type WhitelistChangeOptions } from './whitelist-change.ts'

export interface WhitelistAddOptions extends WhitelistChangeOptions {
  readonly sensor?: readonly string[]
  readonly command?: readonly string[]
  readonly key?: readonly string[]
  readonly expiresIn?: string
  /** Whether what is not named is allowed, as for a new name, instead of kept. Default false. */
  readonly replace?: boolean
}

/** Exit status: 0 every node has applied it, 1 some have not confirmed it. */
export async function runWhitelistAdd(
  names: readonly string[],
  options: WhitelistAddOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const subjects = [...new Set(names.map(parseClient))]
  const asked = termsOf(options, io)
  return runChanges({ kind: 'grant', subjects }, options, io, async before => {
    const { subject, standing, grants } = before
    const terms = options.replace === true ? asked : keepTerms(before, asked)
    if (standing === 'granted' && options.json !== true) {
      const lines = differences(termsOfAll(grants), terms, io.clock.now())
      if (lines.length > 0 && subjects.length > 1) io.out(`${displaySubject(subject)}:`)
      for (const line of lines) io.out(line)
    }
    return { kind: 'grant', subject, terms }
  })
}

/** @throws FridgeError `ERR_USAGE` when it is the name of somebody who needs no grant */
function parseClient(name: string): Subject {
  const subject = parseSubject(name)
  const role = roleOf(subject)
  if (role === 'client') return subject
  throw new FridgeError('ERR_USAGE', `${subject} needs no grant, and a revoked ${role} stays out`, {
    fix: `give it a new name: fridge certs issue ${role} NAME`,
  })
}

function termsOf({ sensor, command, key, expiresIn }: WhitelistAddOptions, io: CommandIo): Terms {
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
  })
  if (typeof terms === 'string') throw new FridgeError('ERR_USAGE', terms)
  return terms
}
