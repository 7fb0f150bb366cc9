import { useEffect, useState } from 'react';
import { SECOND_MS } from '#core/units';
import { Icon } from './icon.tsx';

const SHOWN_MS = 2 * SECOND_MS;

/** Copies a text. @param props.what names it for a screen reader */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [outcome, setOutcome] = useState<'copied' | 'select it instead'>();
  useEffect(() => {
    if (outcome === undefined) return;
    const timer = setTimeout(() => setOutcome(undefined), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('copied');
    } catch {
      // Browsers refuse over plain HTTP on another machine.
      setOutcome('select it instead');
    }
  };
  return (
    <button type="button" className="quiet" onClick={() => void copy()} aria-label={`Copy ${what}`}>
      <Icon name="copy" />
      <span role="status">{outcome ?? ''}</span>
    </button>
  );
}

/** A command of the shell that can be copied. */
export function CommandLine({ text, what = 'the command' }: { readonly text: string; readonly what?: string }) {
  return (
    <div className="command">
      <pre tabIndex={0} aria-label={what}>
        {text}
      </pre>
      <CopyButton text={text} what={what} />
    </div>
  );
}

/** The beginning of a digest or an id; the copy is whole. */
export function ShortCode({
  text,
  what,
  length = 12,
}: {
  readonly text: string;
  readonly what: string;
  readonly length?: number;
}) {
  return (
    <span className="short-code">
      <code title={text}>{text.length > length ? `${text.slice(0, length)}…` : text}</code>
      <CopyButton text={text} what={what} />
    </span>
  );
}
