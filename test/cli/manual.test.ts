import { Command } from 'commander'
import test from 'ava'
import { manualPage } from '../../cli/manual.ts'
import { runCommand } from '../support/cli.ts'

test('the manual page tells of every command what its help tells', async t => {
  const { status, out, err } = await runCommand(['man'])
  t.is(status, 0, err)
  t.regex(out, /^\.TH FRIDGE 1 /)
  const sections = new Map(
    out
      .split(/^\.SS /m)
      .slice(1)
      .map(section => [section.split('\n')[0] ?? '', section]),
  )
  t.true(sections.size > 35, `${sections.size}`)
  for (const title of sections.keys()) t.regex(title, /^fridge [a-z]/)
  t.false([...sections.keys()].some(title => title.startsWith('fridge complete ')))
  const add = sections.get('fridge whitelist add <name...>') ?? ''
  const help = (await runCommand(['whitelist', 'add', '--help'])).out
  for (const [, option = ''] of help.matchAll(/^ {2}(--[a-z-]+)/gm)) {
    t.true(add.includes(option.replaceAll('-', String.raw`\-`)), option)
  }
  t.regex(add, /\$ fridge whitelist add fridge\\-client\\-001$/m)
})

test('nothing that help says is taken for a request of roff', t => {
  const program = new Command('fridge').description('cools')
  program
    .command('defrost')
    .description(String.raw`.so /etc/passwd and \fB`)
    .addHelpText('after', "\n'quoted\n.fi")
  const lines = manualPage(program, '1.0').split('\n')
  t.true(lines.includes(String.raw`\&.so /etc/passwd and \efB`))
  t.true(lines.includes(String.raw`\&'quoted`))
  t.true(lines.includes(String.raw`\&.fi`))
})
