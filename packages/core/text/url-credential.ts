/** Names of query parameters that carry a credential: tokens, presigned links of the object stores, signatures of content networks. */
const NAMES = [
  /(^|[-_.])(access|auth|private|job|id|refresh|session|security|deploy)?[-_]?token$/,
  /(^|[-_.])(secret|sig|signature|passw(or)?d|passphrase|pwd|credentials?|jwt|bearer|authorization|auth|sas)$/,
  /(^|[-_.])(api|access|secret|private|subscription|account)[-_]?key([-_]?id)?$/,
  /^(key-pair-id|googleaccessid|awsaccesskeyid|ossaccesskeyid|q-ak|hdnea|hdnts|hdntl|policy|userpwd)$/,
];

/** Tokens of services, in any parameter: Hugging Face, GitHub, GitLab, Haulier, AWS, Google, and JSON Web Tokens. */
const VALUES =
  /^(hf_\w{10,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|haulier_[a-z]{2,4}_\w{20,}|AKIA[A-Z0-9]{16}|AIza[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)$/;

/** Some file servers name the file in a parameter `key`; a credential has neither a slash nor a dot. */
const isKey = (name: string, value: string): boolean => name === 'key' && /^[\w-]{16,}$/.test(value);

const DEEPEST = 3;

/**
 * Finds a credential in a URL: in front of its host, in its query, or in the query of a URL that is a parameter. Such a
 * URL gives access, so it must not be stored, shown or put into jobs.
 *
 * @returns what holds it, for a message: `a user name or password`, or `the query parameter "token"`; undefined without one
 */
export function credentialIn(url: URL, depth = 0): string | undefined {
  if (url.username !== '' || url.password !== '') return 'a user name or password';
  for (const [name, value] of [...url.searchParams, ...new URLSearchParams(url.hash.slice(1))]) {
    const shown = JSON.stringify(name.slice(0, 60));
    if (isCredential(name.toLowerCase(), value)) return `the query parameter ${shown}`;
    const inner = depth < DEEPEST && /^https?:\/\//i.test(value) && URL.canParse(value);
    const found = inner ? credentialIn(new URL(value), depth + 1) : undefined;
    if (found !== undefined) return `${found} of the URL in ${shown}`;
  }
  return undefined;
}

/** @param name in lower case */
const isCredential = (name: string, value: string): boolean =>
  value !== '' && (NAMES.some((form) => form.test(name)) || isKey(name, value) || VALUES.test(value));
