import type { Command } from 'commander'
import { VERSION } from '../../node/lib/version.ts'
import { examples, type CommandContext } from '../command.ts'
import { EXIT } from '../io.ts'
import { manualPage } from '../manual.ts'

/** Fill `fridge man`. */
export function fillMan(man: Command, { io, action }: CommandContext): void {
  man.addHelpText('after', examples('fridge man | man -l -')).action(
    action(async () => {
      if (man.parent !== null) io.out(manualPage(man.parent, VERSION))
      return EXIT.done
    }),
  )
}
