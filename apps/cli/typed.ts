import { withoutUser, type SettingKind } from '#core/settings/setting-kinds';

/**
 * Reads the text of an option by the rules of the settings.
 *
 * @throws RangeError that names the option, its text and what would be right
 */
export function optionOf<Value>(option: string, kind: SettingKind<Value>, text: string): Value {
  try {
    return kind(text);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(`${option} is "${withoutUser(text)}": ${cause.message}`, { cause });
  }
}

/** Runs a parser whose message shows the text but not the option that holds it; the error names both. */
export function ofOption<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(`${option}: ${cause.message}`, { cause });
  }
}

/** Splits `name` or `name@version`. */
export function parseModel(what: string): { readonly name: string; readonly version: string | undefined } {
  const at = what.indexOf('@');
  return at < 0 ? { name: what, version: undefined } : { name: what.slice(0, at), version: what.slice(at + 1) };
}
