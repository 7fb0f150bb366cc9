import { z } from 'zod';
import { messageOf } from '#core/error-facts';

/**
 * A text read by a parser; the message of the parser becomes the message of the schema.
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
