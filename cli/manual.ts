import type { Command } from 'commander'
import { pathOf } from './command.ts'

/** What is true of all commands: roff, as the rest of the page. */
const CLOSING = String.raw`.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
not, or not fully, done; of \fBstatus\fR and \fBdoctor\fR: something is wrong
.TP
.B 2
wrong usage or configuration
.TP
.B 3
no node was reached
.TP
.B 4
refused
.SH ENVIRONMENT
.TP
.B FRIDGE_NODE, FRIDGE_AS, FRIDGE_CERTS, FRIDGE_CONTEXT
what \fB\-\-node\fR (several with commas), \fB\-\-as\fR, \fB\-\-certs\fR and \fB\-\-context\fR say
.TP
.B NO_COLOR
no colours
.TP
.B TZ
the time zone in which histories tell moments
.SH FILES
.TP
.I ./certs
the certificate folder
.TP
.I $XDG_CONFIG_HOME/fridge/contexts.json
the contexts of a person, default below \fI~/.config\fR`

/**
 * The manual page of a program, made from what its commands say with `--help`.
 * @returns roff with the macros of man(7), without a newline at its end
 */
export function manualPage(program: Command, version: string): string {
  const name = program.name()
  const lines = [
    `.TH ${name.toUpperCase()} 1 "" "${name} ${escape(version)}"`,
    '.SH NAME',
    `${name} \\- ${escape(program.description())}`,
    '.SH SYNOPSIS',
    `.B ${name}`,
    '.I command',
    '[options]',
    '.SH COMMANDS',
    ...commandsBelow(program).flatMap(sectionOf),
    '.SH OPTIONS OF ALL COMMANDS',
    ...optionsOf(program),
    CLOSING,
  ]
  return lines.join('\n')
}

/** Those that do something by themselves, in the order in which help shows them. */
function commandsBelow(command: Command): Command[] {
  const below = command
    .createHelp()
    .visibleCommands(command)
    .filter(child => child.name() !== 'help')
  if (below.length === 0) return [command]
  return below.flatMap(commandsBelow)
}

function sectionOf(command: Command): string[] {
  const help = command.createHelp()
  const words = [command.name(), help.commandUsage(command).replace(/^.*\[options\] ?/, '')]
  const before = pathOf(command).split(' ').slice(0, -1)
  return [
    `.SS ${escape(['fridge', ...before, ...words].join(' ').trim())}`,
    text(command.description()),
    ...help
      .visibleArguments(command)
      .flatMap(argument => [
        '.TP',
        `.I ${escape(help.argumentTerm(argument))}`,
        text(help.argumentDescription(argument)),
      ]),
    ...optionsOf(command),
    ...remarksOf(command),
  ]
}

function optionsOf(command: Command): string[] {
  const help = command.createHelp()
  return help
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help')
    .flatMap(option => [
      '.TP',
      `.B ${escape(help.optionTerm(option))}`,
      text(help.optionDescription(option)),
    ])
}

/** What stands behind the options in a help text: examples, and what columns mean. */
function remarksOf(command: Command): string[] {
  const printed: string[] = []
  const output = { ...command.configureOutput() }
  command.configureOutput({ writeOut: part => printed.push(part) })
  command.outputHelp()
  command.configureOutput(output)
  const remarks = printed.join('').slice(command.helpInformation().length).trim()
  return remarks === '' ? [] : ['.PP', '.nf', ...remarks.split('\n').map(text), '.fi']
}

/** A line of text: a dot or an apostrophe at its beginning would be a request. */
function text(line: string): string {
  return escape(line).replace(/^(?=[.'])/, String.raw`\&`)
}

function escape(line: string): string {
  return line.replaceAll('\\', String.raw`\e`).replaceAll('-', String.raw`\-`)
}
