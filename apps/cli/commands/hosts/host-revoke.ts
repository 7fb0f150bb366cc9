import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';

/** Takes the enrolment of a host back. */
export async function hostRevoke(
  name: string,
  options: { readonly json?: boolean },
  context: CommandContext,
): Promise<void> {
  const revoked = await withApi(() => clientFrom(context.env).revokeHost(name));
  const text = `${revoked.name} is revoked; it may enrol again with a new token, and \`haulier host forget\` cancels what is wanted there`;
  context.stdout.write(`${options.json ? JSON.stringify(revoked) : text}\n`);
}
