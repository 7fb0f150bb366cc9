import { connect, type PeerCertificate } from 'node:tls';
import { isUserMe } from '#contracts/http/access/session';
import { ApiError } from '#client/api-error';
import { createClient } from '#client/client';
import { DAY_MS, SECOND_MS, formatDuration } from '#core/units';
import { messageOf } from '#core/error-facts';
import { packageVersion } from '#os/package-folder';
import { parseJson } from '#core/text/parse-json';
import { apiTokenOf, apiUrlOf } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { isGiven } from '../../settings.ts';
import { formatTable } from '../../terminal/table.ts';
import { rightsOf } from '../access/token.ts';

/** One thing that was looked at. `warn` works today. */
interface Finding {
  readonly check: 'address' | 'api' | 'tls' | 'clock' | 'version' | 'ready' | 'token';
  readonly result: 'ok' | 'warn' | 'fail';
  readonly message: string;
}

const ASK_TIMEOUT_MS = 10 * SECOND_MS;
/** Deadlines and signatures are compared across machines, so clocks should agree to seconds. */
const CLOCK_WARN_MS = 5 * SECOND_MS;
const CLOCK_FAIL_MS = 60 * SECOND_MS;
const EXPIRES_SOON_MS = 14 * DAY_MS;

/** Looks at everything that a command needs of the API, and says what is wrong and what to do. */
export async function doctor(options: { readonly json?: boolean }, context: CommandContext): Promise<void> {
  const url = new URL(apiUrlOf(context.env));
  const findings: Finding[] = [addressOf(url, context.env)];
  const alive = await answerOf(url, '/livez');
  findings.push(apiFinding(alive));
  if (alive.answer !== undefined) findings.push(...(await furtherFindings(url, alive, context)));
  else if (url.protocol === 'https:') findings.push(await tlsFinding(url));
  const isWell = findings.every(({ result }) => result !== 'fail');
  const rows = findings.map(({ check, result, message }) => [result, check, message]);
  context.stdout.write(
    options.json
      ? `${JSON.stringify({ url: url.href, ok: isWell, checks: findings })}\n`
      : `${formatTable(['', 'check', 'found'], rows)}\n`,
  );
  if (alive.answer === undefined) throw new CliError(EXIT.unreachable, `${url.origin} cannot be reached`);
  if (!isWell) throw new CliError(EXIT.failed, 'not everything is well');
}

const finding = (check: Finding['check'], result: Finding['result'], message: string): Finding => ({
  check,
  result,
  message,
});

const LOCAL = /^(localhost|127(\.\d+){3}|\[::1\])$/;

function addressOf(url: URL, env: NodeJS.ProcessEnv): Finding {
  const from = isGiven(env, 'HAULIER_URL') ? 'of HAULIER_URL' : 'of haulier login, or the default';
  const isClear = url.protocol === 'http:' && !LOCAL.test(url.hostname);
  return isClear
    ? finding('address', 'warn', `${url.href} (${from}): without https the token crosses the network in clear`)
    : finding('address', 'ok', `${url.href} (${from})`);
}

interface Asked {
  readonly path: string;
  readonly answer?: Response;
  readonly text: string;
  readonly error?: unknown;
  readonly startedAt: number;
  readonly endedAt: number;
}

async function answerOf(url: URL, path: string): Promise<Asked> {
  const startedAt = Date.now();
  try {
    const at = new URL(url.href.replace(/\/+$/, '') + path);
    const answer = await fetch(at, { redirect: 'manual', signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
    return { path, answer, text: await answer.text(), startedAt, endedAt: Date.now() };
  } catch (error) {
    return { path, text: '', error, startedAt, endedAt: Date.now() };
  }
}

function apiFinding({ answer, text, error, startedAt, endedAt }: Asked): Finding {
  if (answer === undefined) {
    const cause = (error as { cause?: unknown }).cause ?? error;
    return finding('api', 'fail', `no answer: ${messageOf(cause)}; start the API with haulier up, or set HAULIER_URL`);
  }
  const isOurs = (parseJson(text) as { status?: unknown } | undefined)?.status === 'alive';
  if (answer.ok && isOurs) return finding('api', 'ok', `answers within ${endedAt - startedAt} ms`);
  const where = answer.headers.get('location');
  const what = where === null ? `${answer.status}` : `${answer.status} to ${where}`;
  return finding(
    'api',
    'fail',
    `another server answers (${what}): HAULIER_URL has to be the address of the API itself`,
  );
}

async function furtherFindings(url: URL, alive: Asked, { env }: CommandContext): Promise<Finding[]> {
  return Promise.all([
    ...(url.protocol === 'https:' ? [tlsFinding(url)] : []),
    clockFinding(alive),
    versionFinding(url),
    readyFinding(url),
    tokenFinding(url, apiTokenOf(env)),
  ]);
}

/** The server's clock by the header `Date`, which has whole seconds; the answer lies between asking and reading. */
function clockFinding({ answer, startedAt, endedAt }: Asked): Finding {
  const at = Date.parse(answer!.headers.get('date') ?? '');
  if (Number.isNaN(at)) return finding('clock', 'warn', 'the answer has no Date, so the clocks could not be compared');
  const apartMs = Math.max(0, startedAt - (at + SECOND_MS), at - endedAt);
  if (apartMs <= CLOCK_WARN_MS) return finding('clock', 'ok', 'agrees with the one of the API');
  const message = `${formatDuration(apartMs)} apart from the API (${new Date(at).toISOString()} there): set both by NTP`;
  return finding('clock', apartMs > CLOCK_FAIL_MS ? 'fail' : 'warn', message);
}

async function versionFinding(url: URL): Promise<Finding> {
  const { text } = await answerOf(url, '/openapi.json');
  const theirs = (parseJson(text) as { info?: { version?: unknown } } | undefined)?.info?.version;
  const ours = packageVersion(import.meta.url);
  if (typeof theirs !== 'string')
    return finding('version', 'warn', 'the API does not say its version at /openapi.json');
  return theirs === ours
    ? finding('version', 'ok', `${ours} here and there`)
    : finding('version', 'warn', `${ours} here, ${theirs} there: use the same version, the older one lacks features`);
}

async function readyFinding(url: URL): Promise<Finding> {
  const { text } = await answerOf(url, '/readyz');
  const ready = parseJson(text) as { status?: unknown; missing?: readonly string[] } | undefined;
  if (ready?.status === 'ready') return finding('ready', 'ok', 'the API has all it needs');
  return finding('ready', 'fail', `the API lacks ${ready?.missing?.join('; ') ?? 'something, and does not say what'}`);
}

async function tokenFinding(url: URL, token: string | undefined): Promise<Finding> {
  if (token === undefined) return finding('token', 'fail', 'none: set HAULIER_TOKEN, or log in with haulier login');
  try {
    const me = await createClient({ baseUrl: url.href, token, timeoutMs: ASK_TIMEOUT_MS }).getMe();
    const leftMs = me.expiresAt === null ? Infinity : Date.parse(me.expiresAt) - Date.now();
    const said = `"${me.name}" may ${isUserMe(me) ? me.scopes.join(' ') : rightsOf(me)}`;
    if (leftMs > EXPIRES_SOON_MS) return finding('token', 'ok', said);
    return finding('token', 'warn', `${said}; it expires in ${formatDuration(leftMs)}: make a new one`);
  } catch (error) {
    const advice = error instanceof ApiError && error.status === 401 ? ': log in with another one' : '';
    return finding('token', 'fail', `${messageOf(error)}${advice}`);
  }
}

/** Why a certificate is not trusted, or when it ends. */
async function tlsFinding(url: URL): Promise<Finding> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || 443);
  const { certificate, problem } = await new Promise<{ certificate?: PeerCertificate; problem?: string }>((resolve) => {
    // The certificate is looked at even where it is not trusted; nothing is sent over this connection.
    const socket = connect({ host, port, servername: host, rejectUnauthorized: false }, () => {
      const untrusted = socket.authorized ? undefined : String(socket.authorizationError);
      resolve({ certificate: socket.getPeerCertificate(), ...(untrusted === undefined ? {} : { problem: untrusted }) });
      socket.end();
    });
    socket.setTimeout(ASK_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', (error) => resolve({ problem: error.message }));
  });
  if (problem !== undefined)
    return finding('tls', 'fail', `${problem}; an authority of your own: NODE_EXTRA_CA_CERTS=FILE`);
  const leftMs = Date.parse(certificate!.valid_to) - Date.now();
  const end = `the certificate ends in ${formatDuration(leftMs)}`;
  return finding('tls', leftMs > EXPIRES_SOON_MS ? 'ok' : 'warn', end);
}
