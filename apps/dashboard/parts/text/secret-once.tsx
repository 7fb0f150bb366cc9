import { CommandLine } from './copy.tsx';

/** A secret that no other answer shows. */
export function SecretOnce({
  secret,
  what,
  close,
}: {
  readonly secret: string;
  readonly what: string;
  readonly close: () => void;
}) {
  return (
    <div className="form">
      <p>Copy {what} now: it is shown once, and only a keyed hash of it is kept.</p>
      <CommandLine text={secret} what={what} />
      <div className="dialog-actions">
        <button type="button" className="primary" onClick={close}>
          I have copied it
        </button>
      </div>
    </div>
  );
}
