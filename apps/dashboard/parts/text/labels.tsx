/** Labels of a host. */
export function Labels({
  labels,
  most = Infinity,
}: {
  readonly labels: Readonly<Record<string, string>>;
  readonly most?: number;
}) {
  const all = Object.entries(labels);
  const left = all.length - most;
  return (
    <span className="labels">
      {all.slice(0, most).map(([key, value]) => (
        <span key={key} className="label">
          {key}={value}
        </span>
      ))}
      {left > 0 && <span className="faint">+{left}</span>}
    </span>
  );
}
