/** The request contradicts what is stored (HTTP 409). The message names both sides and says what would be right. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
  readonly code: 'manifest_differs';

  constructor(code: 'manifest_differs', message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
