import { z } from 'zod';
import { FACT_PREFIX } from '#core/selector/host-labels';
import { labelKeyProblem, labelValueProblem, parseSelector } from '#core/selector/selector';
import { parsedBy } from './parsed-by.ts';

const MAX_LABELS = 64;

const problemOfKey = (key: string): string | undefined =>
  key.startsWith(FACT_PREFIX) ? `keys that begin with ${FACT_PREFIX} are facts of the host` : labelKeyProblem(key);

/** @param Value what is said of each label */
const labelMap = <Value extends z.ZodType>(Value: Value) =>
  z.record(z.string(), Value).superRefine((labels, context) => {
    if (Object.keys(labels).length > MAX_LABELS)
      context.addIssue({ code: 'custom', message: `a host has at most ${MAX_LABELS} labels` });
    for (const [key, value] of Object.entries(labels)) {
      const problem = problemOfKey(key) ?? (typeof value === 'string' ? labelValueProblem(value) : undefined);
      if (problem !== undefined) context.addIssue({ code: 'custom', path: [key], message: problem });
    }
  });

/** Labels in the grammar of Kubernetes: `{"gpu": "true", "example.com/site": "eu-1"}`. */
export const Labels = labelMap(z.string());

/** A merge patch of labels: null takes a label away, what is left out stays (RFC 7396). */
export const LabelsPatch = labelMap(z.string().nullable());

export type LabelsPatch = z.infer<typeof LabelsPatch>;

const MAX_SELECTOR_CHARACTERS = 4000;

/** The text of a selector; it stays a text, and is known to be readable. */
export const SelectorText = parsedBy(z.string().max(MAX_SELECTOR_CHARACTERS), (text) => {
  parseSelector(text);
  return text;
}).describe('Kubernetes label selector, and `name~gpu-*`; empty: every host');
