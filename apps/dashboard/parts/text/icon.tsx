/** Outlines on a grid of 16; the word beside an icon says what it means. */
const PATHS = {
  ok: 'M3 8.5l3.2 3.2L13 5',
  running: 'M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10',
  waiting: 'M8 4v4l2.5 1.5M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z',
  paused: 'M5.5 3.5v9M10.5 3.5v9',
  bad: 'M4 4l8 8M12 4l-8 8',
  warn: 'M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.1',
  off: 'M3.5 8h9',
  overview: 'M2.5 9h4v4.5h-4zM9.5 2.5h4v11h-4zM2.5 2.5h4v3.5h-4z',
  rollouts: 'M2.5 4h11M2.5 8h8M2.5 12h5',
  hosts: 'M2.5 2.5h11v4.5h-11zM2.5 9h11v4.5h-11zM5 4.8h.1M5 11.2h.1',
  models: 'M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5L8 8l5.5-3M8 8v6',
  downloads: 'M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10',
  swarms:
    'M8 2.2a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2zM3.6 10.4a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2zM12.4 10.4a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2zM7.2 5.2l-2.7 5.4M8.8 5.2l2.7 5.4M5.2 12h5.6',
  sources: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM2.2 8h11.6M8 2c2 2 2.6 4 2.6 6S10 12 8 14M8 2C6 4 5.4 6 5.4 8S6 12 8 14',
  metrics: 'M2.5 2.5v11h11M5 10.5l2.5-3 2 1.5 3.5-5',
  queues: 'M2.5 3h11v3h-11zM2.5 8h11M2.5 11h11M2.5 14h11',
  audit: 'M4 2.5h8v11H4zM6 5.5h4M6 8h4M6 10.5h2.5',
  settings: 'M3 4.5h6M12 4.5h1M10.5 3v3M3 11.5h1M7 11.5h6M5.5 10v3',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5L14 14',
  more: 'M3.5 8h.1M8 8h.1M12.5 8h.1',
  user: 'M8 8.2a2.8 2.8 0 1 0 0-5.7 2.8 2.8 0 0 0 0 5.7zM2.8 14c.4-2.6 2.4-4 5.2-4s4.8 1.4 5.2 4',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  close: 'M4 4l8 8M12 4l-8 8',
  up: 'M8 13V3.5M4 7l4-4 4 4',
  down: 'M8 3v9.5M4 9l4 4 4-4',
  grip: 'M6 4h.1M10 4h.1M6 8h.1M10 8h.1M6 12h.1M10 12h.1',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
