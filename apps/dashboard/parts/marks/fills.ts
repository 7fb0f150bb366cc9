import type { Tone } from './state-mark.tsx';

/** Colours of the style sheet; `light-dark()` is resolved by the browser when a colour is used. */
export function fillsOf(canvas: HTMLCanvasElement): (tone: Tone) => string {
  const known = new Map<Tone, string>();
  return (tone) => {
    let color = known.get(tone);
    if (color === undefined) {
      canvas.style.color = `var(--fill-${tone})`;
      color = getComputedStyle(canvas).color;
      canvas.style.color = '';
      known.set(tone, color);
    }
    return color;
  };
}
