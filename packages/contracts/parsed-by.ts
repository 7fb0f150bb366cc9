import { z } from 'zod';
import { messageOf } from '#core/error-facts';
import { parseDuration } from '#core/units';

/**
 * A text read by a parser; what the parser says of a text that it cannot read is what the schema says.
 *
 * @param parse throws RangeError with a sentence
 */
export const parsedBy = <Text extends z.ZodType<string>, Value>(text: Text, parse: (text: string) => Value) =>
  text.transform((given, context) => {
    try {
      return parse(given);
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) });
      return z.NEVER;
    }
  });

/** A duration as people write it, in milliseconds. */
export const DurationMs = parsedBy(z.string(), parseDuration);
