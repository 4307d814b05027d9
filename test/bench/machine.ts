import { spawnSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { VERSION } from '../../node/lib/version.ts'

/** Where the figures come from, as rows of a table. */
export function describeMachine(): string[][] {
  const [cpu] = cpus()
  return [
    ['fridge', VERSION],
    ['processor', `${cpu?.model.trim() ?? 'unknown'}, ${cpus().length} cores`],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(0)} GiB`],
    ['load before', `${loadavg()[0]?.toFixed(1)} processes want to run`],
    ['system', `${type()} ${release()}`],
    ['Node.js', `${process.versions.node}, OpenSSL ${process.versions.openssl}`],
    ['NATS', installedNats() ?? 'not installed: skipped'],
    ['Mosquitto', installedMosquitto() ?? 'not installed: skipped'],
  ]
}

/** Debian keeps servers in a folder that only root's PATH names. */
export const SERVER_ENV = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }

/** The version of NATS; undefined where it is not installed. */
export function installedNats(): string | undefined {
  return programVersion('nats-server', ['--version'], /v(\d\S*)/)
}

/** The version of Mosquitto; undefined where it is not installed. */
export function installedMosquitto(): string | undefined {
  return programVersion('mosquitto', ['-h'], /version (\S+)/)
}

function programVersion(
  program: string,
  args: readonly string[],
  version: RegExp,
): string | undefined {
  const { stdout, error } = spawnSync(program, args, { encoding: 'utf8', env: SERVER_ENV })
  return error === undefined ? (version.exec(stdout)?.[1] ?? 'unknown') : undefined
}
