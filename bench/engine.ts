import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { EngineAnswer, EngineOrder, EngineReport } from './engine-order.ts';
import type { Measured } from './measured.ts';

const ENGINE = new URL('./engine-process.js', import.meta.url);

/** Our engine in a process of its own that stays alive between orders, as a worker does. */
export class Engine {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @param profileFolder where a CPU profile is written when the engine stops */
  static async start(env: Readonly<Record<string, string>> = {}, profileFolder?: string): Promise<Engine> {
    const execArgv = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
    const child = fork(ENGINE, [], {
      execArgv,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(child, 'message');
    return new Engine(child);
  }

  /** @throws Error with the engine's message, or that its process has ended */
  async run(order: EngineOrder): Promise<Measured & EngineReport> {
    const startedAt = performance.now();
    const answer = await this.#ask(order);
    const wallMs = performance.now() - startedAt;
    if (answer.is === 'failed') throw new Error(answer.message);
    return { ...answer.report, wallMs };
  }

  /** For an order that kills the engine. */
  async runToDeath(order: EngineOrder): Promise<void> {
    const died = once(this.#child, 'exit');
    this.#child.send(order);
    await died;
    if (this.#child.signalCode !== 'SIGKILL') throw new Error('the engine was to be killed and ended otherwise');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }

  #ask(order: EngineOrder): Promise<EngineAnswer> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error('the engine has died'));
      this.#child.once('exit', onExit);
      this.#child.once('message', (answer: EngineAnswer) => {
        this.#child.off('exit', onExit);
        resolve(answer);
      });
      this.#child.send(order);
    });
  }
}
