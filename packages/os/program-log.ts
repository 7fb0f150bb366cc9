import { pino, type Logger, type LoggerOptions } from 'pino';

/** Where a log goes; process.stdout is one. */
export interface LogOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export interface ProgramLogOptions {
  /** Of the program. */
  readonly name: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** What must never be shown. */
  readonly redact?: LoggerOptions['redact'];
  readonly output: LogOutput;
  /** false: no colours on a terminal (NO_COLOR). */
  readonly colours: boolean;
}

/**
 * The log of a program: one JSON object a line, which other programs read; on a terminal, lines for people. What makes those is
 * loaded only there.
 */
export async function programLog({ output, colours, redact, ...options }: ProgramLogOptions): Promise<Logger> {
  const settings: LoggerOptions = { ...options, ...(redact === undefined ? {} : { redact }) };
  if (output.isTTY !== true) return pino(settings, { write: (line) => output.write(line) });
  const { default: pretty } = await import('pino-pretty');
  const format = pretty.prettyFactory({
    colorize: colours,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,name',
    singleLine: true,
  });
  return pino(settings, { write: (line) => output.write(format(line)) });
}
