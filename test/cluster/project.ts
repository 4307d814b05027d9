import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

import { Log, ROOT, run, say, succeed, type Result } from './program.ts'

export const NODES = ['node-1', 'node-2', 'node-3'] as const
export type NodeService = (typeof NODES)[number]

/** The client that compose.yaml makes a certificate for. */
export const CLIENT = 'fridge-client-001'

const COMPOSE = join(ROOT, 'cluster/compose')

/**
 * Make sure that an engine answers and the image is made of what stands here now.
 * @returns what stops the engine, if this call started it
 */
export async function prepareEngine(): Promise<() => Promise<void>> {
  say('cluster/engine')
  const { stdout } = await succeed([join(ROOT, 'cluster/engine')], 480_000)
  const isOurs = stdout.trim() !== ''
  const release = async (): Promise<void> => {
    if (isOurs) await succeed([join(ROOT, 'cluster/engine'), 'stop'])
  }
  say('cluster/image')
  try {
    await succeed([join(ROOT, 'cluster/image')], 480_000)
  } catch (error) {
    await release()
    throw error
  }
  return release
}

/**
 * Start the three nodes of compose.yaml under a name of their own and wait until each serves. The
 * end of the test takes all of it down, volumes included; a failed test shows the logs before.
 */
export async function startProject(t: ExecutionContext): Promise<Project> {
  const project = new Project()
  t.teardown(async () => {
    if (!t.passed) await project.showLogs()
    await project.down()
  })
  await project.up()
  return project
}

export class Project {
  readonly name = `fridge-test-${randomBytes(4).toString('hex')}`
  readonly #env = { ...process.env, COMPOSE_PROJECT_NAME: this.name }

  async up(): Promise<void> {
    await this.compose('up', '-d', ...NODES)
    await Promise.all(NODES.map(node => this.untilReady(node)))
  }

  async compose(...args: string[]): Promise<Result> {
    say(`compose ${args.join(' ')}`)
    return await succeed([COMPOSE, ...args], 180_000, this.#env)
  }

  /** Run an operator's command against one node. Resolves with whatever status it ended. */
  async operator(node: NodeService, ...command: string[]): Promise<Result> {
    const args = ['run', '--rm', '--no-deps', '-T', '-e', `FRIDGE_NODE=${node}:7443`, 'operator']
    say(`operator at ${node}: fridge ${command.join(' ')}`)
    return await run([COMPOSE, ...args, ...command], 120_000, this.#env)
  }

  /** Start the client, connected to one node and no other. @returns the name of its container */
  async startClient(node: NodeService): Promise<string> {
    const container = `${this.name}-at-${node}-${randomBytes(2).toString('hex')}`
    const args = ['run', '-d', '--no-deps', '--name', container, '-e', `FRIDGE_NODE=${node}:7443`]
    say(`client at ${node}: fridge client watch`)
    // The service's own entrypoint would ask again after a refusal.
    const program = ['--entrypoint', 'fridge', 'client', 'client', 'watch']
    await succeed([COMPOSE, ...args, ...program], 120_000, this.#env)
    return container
  }

  async container(service: NodeService | 'client'): Promise<string> {
    const { stdout } = await succeed([COMPOSE, 'ps', '-a', '-q', service], 60_000, this.#env)
    return stdout.trim()
  }

  /** End a node as a power cut does. */
  async kill(node: NodeService): Promise<void> {
    say(`docker kill ${node}`)
    await succeed(['docker', 'kill', await this.container(node)])
  }

  /** Start a node that was killed and wait until it serves again. */
  async restart(node: NodeService): Promise<void> {
    say(`docker start ${node}`)
    const since = new Date()
    await succeed(['docker', 'start', await this.container(node)])
    await this.untilReady(node, since)
  }

  async untilReady(node: NodeService, since?: Date): Promise<void> {
    using log = new Log(await this.container(node), since)
    say(await log.line(/^fridge node \S+ ready on /))
  }

  async showLogs(): Promise<void> {
    const { stdout } = await run([COMPOSE, 'logs', '--no-color', '--tail', '40'], 60_000, this.#env)
    console.log(stdout)
  }

  async down(): Promise<void> {
    say('compose down --volumes')
    await run(
      [COMPOSE, 'down', '--volumes', '--remove-orphans', '--timeout', '15'],
      180_000,
      this.#env,
    )
  }
}
