import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { resolve } from 'node:path'
import { parseName } from '../../node/identity/names.ts'
import { FridgeError } from '../../node/lib/errors.ts'
import { shellWord } from '../../node/lib/shell-word.ts'
import { EXIT, type CommandIo, type ExitStatus } from '../io.ts'
import { installationScript } from '../service/installation.ts'
import { CERTS_DIR, CONFIG_FILE, SERVICE } from '../service/unit.ts'

export interface InstallServiceOptions {
  readonly name?: string
  readonly config?: string
  readonly dryRun?: boolean
}

/** What installing takes of the machine. */
export interface InstallMeans {
  readonly isRoot: boolean
  /** Whether the Debian package has put its own unit here. */
  readonly hasPackage: boolean
  /** Run a shell script; resolves with its exit status. */
  readonly runScript: (script: string) => Promise<number>
}

/** Where the Debian package puts its unit; what stands in /etc would count instead of it. */
const PACKAGED_UNIT = `/lib/systemd/system/${SERVICE}`

/** Folders that the unit takes out of the reach of the service. */
const OUT_OF_REACH = /^\/(home|root|run\/user|tmp|var\/tmp)\//

/** Make the node of this machine a service of systemd, or print the script that would. */
export async function runNodeInstallService(
  { name, config: file = CONFIG_FILE, dryRun = false }: InstallServiceOptions,
  io: CommandIo,
  means: InstallMeans = machine(),
): Promise<ExitStatus> {
  const config = resolve(io.cwd, file)
  if (name === undefined && !existsSync(config)) {
    throw new FridgeError('ERR_USAGE', `there is no ${config}, and nothing says which node`, {
      fix: 'name it: fridge node install-service --name node-1',
    })
  }
  if (means.hasPackage && !dryRun) {
    throw new FridgeError(
      'ERR_CONFIG',
      `the Debian package of fridge is installed: it has made the service ${SERVICE} already`,
      {
        fix: `write ${CONFIG_FILE}, then systemctl enable --now ${SERVICE}; for a service of another installation first: apt remove fridge`,
      },
    )
  }
  const program = io.self
  const hidden = [...program, config].find(word => OUT_OF_REACH.test(word))
  if (hidden !== undefined && !dryRun) {
    throw new FridgeError('ERR_CONFIG', `a service does not reach ${hidden}`, {
      fix: 'install fridge for all: npm install --global fridge, or its Debian package',
    })
  }
  const script = installationScript({
    program,
    config,
    node: name === undefined ? undefined : { name: parseName(name), host: hostname() },
  })
  if (dryRun) {
    io.out(script.trimEnd())
    return EXIT.done
  }
  if (!means.isRoot) {
    const given = name === undefined ? '' : ` --name ${name}`
    const from = file === CONFIG_FILE ? '' : ` --config ${shellWord(config)}`
    throw new FridgeError('ERR_USAGE', 'only root makes a service', {
      fix: `sudo fridge node install-service${given}${from}; --dry-run prints what it would do`,
    })
  }
  const status = await means.runScript(script)
  if (status !== 0) {
    throw new FridgeError('ERR_CONFIG', 'the service is not installed; the lines above say why', {
      fix: 'fridge node install-service --dry-run prints each step, to do it by hand',
    })
  }
  io.out(`${SERVICE} is installed, and starts with this machine`)
  io.out(`  its configuration is ${config}, its certificates lie in ${CERTS_DIR}`)
  io.out(
    `  start it: systemctl restart --no-block ${SERVICE}; how it is: systemctl status ${SERVICE}`,
  )
  return EXIT.done
}

function machine(): InstallMeans {
  return {
    isRoot: userInfo().uid === 0,
    hasPackage: existsSync(PACKAGED_UNIT),
    runScript: async script => {
      const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] })
      const [status] = (await once(child, 'close')) as [number | null]
      return status ?? EXIT.notDone
    },
  }
}
