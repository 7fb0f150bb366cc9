import type { InputHTMLAttributes } from 'react';

type Input = Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'className'>;

/** A text under its label. */
export function TextField(
  props: Input & { readonly label: string; readonly value: string; readonly change: (text: string) => void },
) {
  const { label, change, ...input } = props;
  return (
    <label>
      {label}
      <input className="box" {...input} onChange={({ target }) => change(target.value)} />
    </label>
  );
}

/** One of a few values under its label. @param props.options pairs of a value and its words */
export function ChoiceField<Value extends string>(props: {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly (readonly [Value, string])[];
  readonly change: (value: Value) => void;
}) {
  return (
    <label>
      {props.label}
      <select className="box" value={props.value} onChange={({ target }) => props.change(target.value as Value)}>
        {props.options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** @returns the words of a text that separates them by commas */
export const commaWords = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
