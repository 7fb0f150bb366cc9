import { z } from 'zod';
import { messageOf } from '#core/error-facts';

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
