import { FridgeError } from '../../node/lib/errors.ts'
import {
  displaySubject,
  isAuthor,
  isKeyId,
  parseSubject,
  roleOf,
  type Subject,
} from '../../node/identity/names.ts'
import { misfitOf, readTerms, VIEWS, type Terms } from '../../node/whitelist/terms.ts'
import { checkCommandName, GRANTABLE } from '../command-name.ts'
import { parseDuration } from '../duration.ts'
import type { CommandIo, ExitStatus } from '../io.ts'
import { differences, keepTerms, termsOfAll, withoutEmptyViews } from './kept-terms.ts'
import { assertSensorsMeant } from './sensor-doubt.ts'
import { runChanges, type WhitelistChangeOptions } from './whitelist-change.ts'

export interface WhitelistAddOptions extends WhitelistChangeOptions {
  readonly sensor?: readonly string[]
  readonly command?: readonly string[]
  readonly key?: readonly string[]
  /** Of `VIEWS`, or `none` alone. */
  readonly view?: readonly string[]
  readonly expiresIn?: string
  /** Of an origin: its pages read the sensors before anybody signs in. Default false. */
  readonly public?: boolean
  /** Whether what is not named is allowed, as for a new name, instead of kept. Default false. */
  readonly replace?: boolean
  /** That sensors are meant which no node has, though one is called nearly the same. Default false. */
  readonly force?: boolean
}

/** Exit status: 0 every node has applied it, 1 some have not confirmed it. */
export async function runWhitelistAdd(
  names: readonly string[],
  options: WhitelistAddOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  return addSubjects(names.map(parseGranted), options, io)
}

/** Let clients or origins in, or change what they may. Exit status as above. */
export async function addSubjects(
  named: readonly Subject[],
  options: WhitelistAddOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const subjects = [...new Set(named)]
  const asked = termsOf(options, io)
  let isMeant = options.force === true
  return runChanges({ kind: 'grant', subjects }, options, io, async (before, operator) => {
    if (!isMeant) await assertSensorsMeant(asked.sensors ?? [], operator, io)
    isMeant = true
    const { subject, standing, grants } = before
    const terms = withoutEmptyViews(options.replace === true ? asked : keepTerms(before, asked))
    const misfit = misfitOf(subject, terms)
    if (misfit !== undefined) {
      throw new FridgeError('ERR_USAGE', `${displaySubject(subject)} was not added: ${misfit}`, {
        fix: 'name what everybody may read with --sensor, or leave --public out',
      })
    }
    if (standing === 'granted' && options.json !== true) {
      const lines = differences(termsOfAll(grants), terms, io.clock.now())
      if (lines.length > 0 && subjects.length > 1) io.out(`${displaySubject(subject)}:`)
      for (const line of lines) io.out(line)
    }
    return { kind: 'grant', subject, terms }
  })
}

/** @throws FridgeError `ERR_USAGE` when it is the name of somebody who needs no grant */
function parseGranted(name: string): Subject {
  const subject = parseSubject(name)
  if (!isAuthor(subject)) return subject
  const role = roleOf(subject)
  throw new FridgeError('ERR_USAGE', `${subject} needs no grant, and a revoked ${role} stays out`, {
    fix: `give it a new name: fridge certs issue ${role} NAME`,
  })
}

/** What the options of a grant say. @throws FridgeError `ERR_USAGE` */
export function termsOf(options: WhitelistAddOptions, io: Pick<CommandIo, 'clock'>): Terms {
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
    views: viewsOf(options.view),
  })
  if (typeof terms === 'string') throw new FridgeError('ERR_USAGE', terms)
  return terms
}

/** @throws FridgeError `ERR_USAGE` */
function viewsOf(names: readonly string[] | undefined): readonly string[] | undefined {
  if (names?.length === 1 && names[0] === NO_VIEW) return []
  const offered: readonly string[] = VIEWS
  for (const name of names ?? []) {
    if (offered.includes(name)) continue
    throw new FridgeError('ERR_USAGE', `there is no view ${JSON.stringify(name)}`, {
      fix: `use ${offered.join(', ')}, or ${NO_VIEW} by itself`,
    })
  }
  return names
}

/** What takes away the views of an earlier grant. */
const NO_VIEW = 'none'
