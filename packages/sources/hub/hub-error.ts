import type { SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import { kindOfStatus, statusError } from '#http/http-error';

/** Meaning of `X-Error-Code`, which is more precise than the status (docs/rules/huggingface.md). */
const BY_CODE: Readonly<Record<string, { readonly kind: SourceFailureKind; readonly what: string }>> = {
  GatedRepo: { kind: 'forbidden', what: 'gated: accept its terms on the hub and set HF_TOKEN' },
  RepoNotFound: { kind: 'missing', what: 'no such repository, or it is private and needs HF_TOKEN' },
  RevisionNotFound: { kind: 'missing', what: 'no such revision' },
  EntryNotFound: { kind: 'missing', what: 'no such file in this revision' },
  RemoteEntryNotFound: { kind: 'missing', what: 'no such file in this revision' },
  DisabledRepo: { kind: 'missing', what: 'the hub has disabled this repository' },
};

/**
 * Makes the error of an error answer of a hub.
 *
 * @param nowMs wall clock, for dates in headers
 */
export function hubError(
  source: string,
  answer: { readonly status: number; readonly headers: Readonly<Record<string, string>> },
  nowMs: number,
): SourceError {
  const known = BY_CODE[answer.headers['x-error-code'] ?? ''];
  const byStatus = kindOfStatus(answer.status);
  // A hub that is down may still send a code; only client errors are about the repository.
  const named = answer.status < 500 && answer.status !== 429 ? known : undefined;
  const error = statusError(source, answer.status, answer.headers, nowMs, named?.what, named?.kind ?? byStatus);
  return named !== undefined || answer.status === 429 ? namingReason(error) : error;
}

/** A hub limits requests by token or address, not connections. */
function namingReason({ kind, source, message, httpStatus, retryAfterMs, bucket }: SourceError): SourceError {
  return new SourceError(kind, source, message, { httpStatus, retryAfterMs, bucket, namesReason: true });
}
