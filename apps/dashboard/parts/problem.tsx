import { ApiError, UnreachableError } from '#client/api-error';

/** What went wrong, in the words of the API, with the id that finds it in the log. */
export function ProblemBox({ error, retry }: { readonly error: unknown; readonly retry?: (() => void) | undefined }) {
  const { title, detail, requestId, fields } = partsOf(error);
  return (
    <div className="problem" role="alert">
      <strong>{title}</strong>
      <p>{detail}</p>
      {fields.length > 0 && (
        <ul>
          {fields.map((field) => (
            <li key={field.pointer + field.detail}>
              <code>{field.pointer}</code>: {field.detail}
            </li>
          ))}
        </ul>
      )}
      {requestId !== undefined && (
        <p className="faint">
          Request <code>{requestId}</code>
        </p>
      )}
      {retry !== undefined && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

function partsOf(error: unknown) {
  if (error instanceof ApiError && error.problem !== undefined) {
    const { title, detail, requestId, errors = [] } = error.problem;
    return { title, detail, requestId, fields: errors };
  }
  const title = error instanceof UnreachableError ? 'The API does not answer' : 'Something went wrong';
  return { title, detail: error instanceof Error ? error.message : String(error), requestId: undefined, fields: [] };
}
