import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog } from '@base-ui/react/dialog';
import { useState, type FormEvent, type ReactNode } from 'react';
import { queryClient } from '../data/query-client.ts';
import { ProblemBox } from './problem.tsx';

/** More things than this are confirmed by typing their number. */
const MUST_TYPE_ABOVE = 100;

export interface ConfirmProps {
  /** The button that opens the question, and the verb that confirms it: `Cancel rollout`. */
  readonly verb: string;
  /** What it is done to, after the verb. */
  readonly subject: string;
  /** What follows from it, in a sentence. */
  readonly consequence: ReactNode;
  readonly count?: number | undefined;
  readonly isDangerous?: boolean;
  readonly disabled?: boolean;
  readonly act: () => Promise<unknown>;
}

/** A button whose act is asked about first. A refusal of the API is shown in the question, which stays open. */
export function ConfirmButton(props: ConfirmProps) {
  const { verb, subject, consequence, count = 1, isDangerous = false, disabled = false } = props;
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const { run, isBusy, error, forget } = useAct(props.act, () => setOpen(false));
  const mayAct = count <= MUST_TYPE_ABOVE || typed.trim() === String(count);
  const change = (open: boolean): void => {
    setOpen(open);
    setTyped('');
    forget();
  };
  return (
    <AlertDialog.Root open={isOpen} onOpenChange={change}>
      <AlertDialog.Trigger className={isDangerous ? 'danger' : ''} disabled={disabled}>
        {verb}
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog">
          <AlertDialog.Title>
            {verb} {subject}?
          </AlertDialog.Title>
          <AlertDialog.Description render={<div />}>{consequence}</AlertDialog.Description>
          {count > MUST_TYPE_ABOVE && (
            <label>
              Type {count} to confirm
              <input
                className="box"
                inputMode="numeric"
                value={typed}
                onChange={({ target }) => setTyped(target.value)}
              />
            </label>
          )}
          {error !== undefined && <ProblemBox error={error} />}
          <div className="dialog-actions">
            <AlertDialog.Close>Back</AlertDialog.Close>
            <button
              type="button"
              className={isDangerous ? 'danger solid' : 'primary'}
              disabled={!mayAct || isBusy}
              onClick={run}
            >
              {verb}
            </button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

/** A button that acts at once; a refusal is shown beside it. */
export function ActButton(props: {
  readonly label: string;
  readonly act: () => Promise<unknown>;
  readonly className?: string;
}) {
  const { run, isBusy, error } = useAct(props.act);
  return (
    <>
      <button type="button" className={props.className} disabled={isBusy} onClick={run}>
        {props.label}
      </button>
      {error !== undefined && <ProblemBox error={error} />}
    </>
  );
}

/** A dialog around a form. @param props.children gets the function that closes it */
export function FormDialog(props: {
  readonly open: string;
  readonly title: string;
  readonly className?: string;
  readonly children: (close: () => void) => ReactNode;
}) {
  const [isOpen, setOpen] = useState(false);
  return (
    <Dialog.Root open={isOpen} onOpenChange={setOpen}>
      <Dialog.Trigger className={props.className}>{props.open}</Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title>{props.title}</Dialog.Title>
          {props.children(() => setOpen(false))}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** The form inside of a FormDialog: its fields, what the API refused, the way back, and the button that sends it. */
export function DialogForm(props: {
  readonly verb: string;
  readonly isDangerous?: boolean;
  readonly act: Pick<ReturnType<typeof useAct>, 'run' | 'isBusy' | 'error'>;
  readonly close: () => void;
  readonly children: ReactNode;
}) {
  const { verb, isDangerous = false, act, close, children } = props;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    act.run();
  };
  return (
    <form className="form" onSubmit={submit}>
      {children}
      {act.error !== undefined && <ProblemBox error={act.error} />}
      <div className="dialog-actions">
        <button type="button" onClick={close}>
          Back
        </button>
        <button type="submit" className={isDangerous ? 'danger solid' : 'primary'} disabled={act.isBusy}>
          {verb}
        </button>
      </div>
    </form>
  );
}

/** One act at a time, with what went wrong in the last one. */
export function useAct<Result>(act: () => Promise<Result>, done?: (result: Result) => void) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const attempt = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const result = await act();
      await queryClient.invalidateQueries();
      done?.(result);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return { run: () => void attempt(), isBusy, error, forget: () => setError(undefined) };
}
