import { useEffect, useState, type FormEvent, type ReactNode } from 'react';
import { api } from '../data/api.ts';
import { queryClient, SESSION_KEY } from '../data/query-client.ts';
import { PageHead } from '../parts/page.tsx';
import { ProblemBox } from '../parts/problem.tsx';

/** Asks for name and password; the page that was asked for follows. */
export function SignInPage() {
  return (
    <Gate title="Sign in" verb="Sign in" send={({ name, password }) => api.signIn({ user: name, password })}>
      <Field name="name" label="Name" autoComplete="username" />
      <Field name="password" label="Password" type="password" autoComplete="current-password" />
    </Gate>
  );
}

/** The first admin of a new installation. */
export function SetupPage() {
  const code = useCode();
  if (code.state === 'trying') return <main className="gate">Signing in…</main>;
  return (
    <Gate
      title="Set up Haulier"
      verb="Create the first admin"
      send={({ code, name, password }) => api.setUp({ code, name, password })}
    >
      <p>
        The log of the API has a setup code, printed at its first start. It proves that you may read the log of this
        machine.
      </p>
      {code.error !== undefined && <ProblemBox error={code.error} />}
      <Field name="code" label="Setup code" autoComplete="one-time-code" />
      <Field name="name" label="Name" autoComplete="username" />
      <Field name="password" label="Password, at least 10 characters" type="password" autoComplete="new-password" />
    </Gate>
  );
}

/** The link of the first start is `/login#code=…`: what follows the # is not sent to any server, and is taken out of the address at once. */
function useCode(): { state: 'trying' | 'none'; error?: unknown } {
  const [code] = useState(() => new URLSearchParams(globalThis.location.hash.slice(1)).get('code'));
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (code === null) return;
    history.replaceState(null, '', globalThis.location.pathname + globalThis.location.search);
    void signInWithCode(code).catch(setError);
  }, [code]);
  return { state: code !== null && error === undefined ? 'trying' : 'none', error };
}

const tried = new Map<string, Promise<void>>();

/** A code works once, and a component may be mounted twice. */
function signInWithCode(code: string): Promise<void> {
  const known =
    tried.get(code) ??
    api.signInWithCode({ code }).then(() => queryClient.invalidateQueries({ queryKey: SESSION_KEY }));
  tried.set(code, known);
  return known;
}

type Values = Readonly<Record<'name' | 'password' | 'code', string>>;

function Gate(props: {
  readonly title: string;
  readonly verb: string;
  readonly send: (values: Values) => Promise<unknown>;
  readonly children: ReactNode;
}) {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => String(form.get(name) ?? '');
    setBusy(true);
    setError(undefined);
    try {
      await props.send({ name: text('name'), password: text('password'), code: text('code') });
      await queryClient.invalidateQueries({ queryKey: SESSION_KEY });
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="gate">
      <PageHead title={props.title} />
      <form onSubmit={(event) => void submit(event)}>
        {props.children}
        {error !== undefined && <ProblemBox error={error} />}
        <button type="submit" className="primary" disabled={isBusy}>
          {props.verb}
        </button>
      </form>
    </main>
  );
}

function Field(props: {
  readonly name: string;
  readonly label: string;
  readonly type?: string;
  readonly autoComplete: string;
  readonly initial?: string;
}) {
  const { name, label, type = 'text', autoComplete, initial } = props;
  return (
    <label>
      {label}
      <input className="box" name={name} type={type} autoComplete={autoComplete} defaultValue={initial} required />
    </label>
  );
}
