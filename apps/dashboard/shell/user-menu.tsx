import { Menu } from '@base-ui/react/menu';
import { api } from '../data/api.ts';
import { forgetVisit } from '../data/session/visit.ts';
import type { Me } from '#contracts/http/access/session';
import { Icon } from '../parts/text/icon.tsx';
import { setPreferences, usePreferences } from './preferences.ts';

const THEMES = [
  ['system', 'As the system'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const;
const CLOCKS = [
  ['relative', 'Relative times'],
  ['local', 'Local times'],
  ['utc', 'UTC'],
] as const;

/** Who is signed in, how the pages look, and the way out. */
export function UserMenu({ me }: { readonly me: Me }) {
  const { theme, clock } = usePreferences();
  const signOut = async (): Promise<void> => {
    await api.signOut();
    forgetVisit();
    // A new page: nothing of what was shown stays in its memory.
    globalThis.location.replace('/login');
  };
  return (
    <Menu.Root>
      <Menu.Trigger className="quiet" aria-label={`Menu of ${me.name}`}>
        <Icon name="user" />
        <span className="wide-only">{me.name}</span>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={6} align="end" className="layer">
          <Menu.Popup className="popup">
            <Choice
              label="Appearance"
              options={THEMES}
              value={theme}
              choose={(value) => setPreferences({ theme: value })}
            />
            <Choice label="Clock" options={CLOCKS} value={clock} choose={(value) => setPreferences({ clock: value })} />
            <Menu.Separator className="separator" />
            <Menu.Item className="popup-item" onClick={() => void signOut()}>
              Sign out
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

function Choice<Value extends string>(props: {
  readonly label: string;
  readonly options: readonly (readonly [Value, string])[];
  readonly value: Value;
  readonly choose: (value: Value) => void;
}) {
  return (
    <Menu.Group>
      <Menu.GroupLabel className="popup-label">{props.label}</Menu.GroupLabel>
      <Menu.RadioGroup value={props.value} onValueChange={(value: Value) => props.choose(value)}>
        {props.options.map(([value, text]) => (
          <Menu.RadioItem key={value} value={value} className="popup-item">
            <Menu.RadioItemIndicator className="mark">
              <Icon name="ok" />
            </Menu.RadioItemIndicator>
            {text}
          </Menu.RadioItem>
        ))}
      </Menu.RadioGroup>
    </Menu.Group>
  );
}
