import { isAuthor } from '../../node/identity/names.ts'
import type { GrantReport } from '../../node/operators/subjects.ts'
import { formatList, LIST_FORMATS, type ListedGrant } from '../list-file.ts'
import { writeOut } from '../history/write-out.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { oneOf } from '../one-of.ts'
import { connectOperator } from '../operator.ts'
import type { TargetOptions } from '../target.ts'
import { termsOfAll } from './kept-terms.ts'

export interface WhitelistExportOptions extends TargetOptions {
  readonly format?: string
  readonly out?: string
}

/** Print who is let in now as a file that `whitelist apply` reads. */
export async function runWhitelistExport(
  options: WhitelistExportOptions,
  io: CommandIo,
): Promise<ExitStatus> {
  const asked = options.json === true ? 'json' : options.format
  const format = oneOf('--format', asked ?? 'yaml', LIST_FORMATS)
  await using operator = await connectOperator(options, io)
  const grants: ListedGrant[] = []
  for await (const { subject, standing, grants: made } of operator.subjects()) {
    if (standing !== 'granted' || isAuthor(subject)) continue
    grants.push({ subject, terms: termsOfAll(made), reason: reasonOf(made) })
  }
  await writeOut(formatList(grants, format), options.out, io)
  if (grants.length === 0) io.err('nobody is let in: fridge whitelist add NAME')
  return EXIT.done
}

function reasonOf(grants: readonly GrantReport[]): string | undefined {
  return grants.toSorted((a, b) => b.at - a.at)[0]?.reason
}
