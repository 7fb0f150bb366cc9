/** Splits `name` or `name@version`. */
export function parseModel(what: string): { readonly name: string; readonly version: string | undefined } {
  const at = what.indexOf('@');
  return at < 0 ? { name: what, version: undefined } : { name: what.slice(0, at), version: what.slice(at + 1) };
}
